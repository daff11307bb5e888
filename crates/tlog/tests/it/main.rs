//! One binary: known answers from elsewhere, properties against a naive tree, and damage that must be noticed.

mod checkpoints;
mod cosignatures;
mod keys;
mod merkle_vectors;
mod naive;
mod notes;
mod policies;
mod primitives;
mod proof_texts;
mod proofs;
mod ranges;
mod tessera;
mod tiles;
mod vectors;
mod witnesses;
