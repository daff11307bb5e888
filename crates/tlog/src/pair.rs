//! Two SHA-256 hashes side by side, where the processor has instructions for SHA-256.
//!
//! One hash is a chain: each round waits for the round before it, and half of the processor's capacity lies idle. Two
//! independent messages fill it. Elsewhere the two are hashed one after the other, with the same result.

use sha2::{Digest, Sha256};

/// SHA-256(`prefix` ‖ `data`) of two messages.
pub(crate) fn digests(prefix: u8, data: [&[u8]; 2]) -> [[u8; 32]; 2] {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1") {
        #[allow(unsafe_code)]
        // SAFETY: the processor has the features that the function is compiled for.
        return unsafe { x86::digests(prefix, data) };
    }
    data.map(|data| Sha256::new_with_prefix([prefix]).chain_update(data).finalize().into())
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// FIPS 180-4, section 5.3.3, in the order of the instructions: lanes (from high) A B E F and C D G H.
    const INITIAL: [[u32; 4]; 2] =
        [[0x9b05_688c, 0x510e_527f, 0xbb67_ae85, 0x6a09_e667], [0x5be0_cd19, 0x1f83_d9ab, 0xa54f_f53a, 0x3c6e_f372]];

    /// FIPS 180-4, section 4.2.2.
    #[rustfmt::skip]
    const K: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    type State = [__m128i; 2];

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    pub(super) fn digests(prefix: u8, data: [&[u8]; 2]) -> [[u8; 32]; 2] {
        let initial = INITIAL.map(|[a, b, c, d]| lanes(a, b, c, d));
        let mut states: [State; 2] = [initial; 2];
        let counts = data.map(|data| block_count(data.len()));
        let common = counts[0].min(counts[1]);
        let mut scratch = [[0; 64]; 2];
        for at in 0..common {
            let [left, right] = &mut scratch;
            compress(&mut states, [block(prefix, data[0], at, left), block(prefix, data[1], at, right)]);
        }
        for (lane, count) in counts.into_iter().enumerate() {
            let mut state = [states[lane]];
            for at in common..count {
                compress(&mut state, [block(prefix, data[lane], at, &mut scratch[lane])]);
            }
            states[lane] = state[0];
        }
        states.map(|state| output(state))
    }

    /// Blocks of a message of `length` bytes with its prefix, the mark and the length at its end.
    fn block_count(length: usize) -> usize {
        (1 + length + 9).div_ceil(64)
    }

    /// The block `at` of a message (FIPS 180-4, section 5.1.1): a part of the data where it is whole.
    #[inline]
    fn block<'a>(prefix: u8, data: &'a [u8], at: usize, scratch: &'a mut [u8; 64]) -> &'a [u8; 64] {
        let (start, length) = (64 * at, data.len());
        if at > 0
            && let Some(whole) = data.get(start - 1..start + 63)
        {
            return whole.try_into().expect("64 bytes");
        }
        *scratch = [0; 64];
        if at == 0 {
            scratch[0] = prefix;
        }
        let rest = &data[start.saturating_sub(1).min(length)..(start + 63).min(length)];
        let place = usize::from(at == 0);
        scratch[place..place + rest.len()].copy_from_slice(rest);
        let mark = length + 1;
        if (start..start + 64).contains(&mark) {
            scratch[mark - start] = 0x80;
        }
        if at + 1 == block_count(length) {
            scratch[56..].copy_from_slice(&(8 * mark as u64).to_be_bytes());
        }
        scratch
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn lanes(a: u32, b: u32, c: u32, d: u32) -> __m128i {
        _mm_set_epi32(d as i32, c as i32, b as i32, a as i32)
    }

    /// Compresses one block into each of `N` states (FIPS 180-4, section 6.2.2).
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn compress<const N: usize>(states: &mut [State; N], blocks: [&[u8; 64]; N]) {
        let before = *states;
        let mut words = blocks.map(|block| message(block));
        for round in 0..16 {
            let k = lanes(K[4 * round], K[4 * round + 1], K[4 * round + 2], K[4 * round + 3]);
            for lane in 0..N {
                let [w0, w1, w2, w3] = words[lane];
                let [abef, cdgh] = states[lane];
                let sum = _mm_add_epi32(w0, k);
                let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
                let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
                states[lane] = [abef, cdgh];
                let next = if round < 12 {
                    let partial = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
                    _mm_sha256msg2_epu32(partial, w3)
                } else {
                    w0
                };
                words[lane] = [w1, w2, w3, next];
            }
        }
        for (state, before) in states.iter_mut().zip(before) {
            *state = [_mm_add_epi32(state[0], before[0]), _mm_add_epi32(state[1], before[1])];
        }
    }

    /// The first 16 words of the message schedule.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn message(block: &[u8; 64]) -> [__m128i; 4] {
        let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        let (words, _) = block.as_chunks::<8>();
        let word = |at: usize| i64::from_le_bytes(words[at]);
        [0, 2, 4, 6].map(|at| _mm_shuffle_epi8(_mm_set_epi64x(word(at + 1), word(at)), swap))
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn output([abef, cdgh]: State) -> [u8; 32] {
        let feba = _mm_shuffle_epi32(abef, 0x1b);
        let dchg = _mm_shuffle_epi32(cdgh, 0xb1);
        let dcba = _mm_blend_epi16(feba, dchg, 0xf0);
        let hgef = _mm_alignr_epi8(dchg, feba, 8);
        let mut bytes = [0; 32];
        let halves =
            [_mm_cvtsi128_si64(dcba), _mm_extract_epi64(dcba, 1), _mm_cvtsi128_si64(hgef), _mm_extract_epi64(hgef, 1)];
        for (out, half) in bytes.chunks_exact_mut(8).zip(halves) {
            out[..4].copy_from_slice(&(half as u32).to_be_bytes());
            out[4..].copy_from_slice(&((half >> 32) as u32).to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(prefix: u8, data: &[u8]) -> [u8; 32] {
        Sha256::new_with_prefix([prefix]).chain_update(data).finalize().into()
    }

    #[test]
    fn two_at_once_are_as_one_after_the_other() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|at| ((at * 31) >> 3) as u8).collect();
        let lengths: Vec<usize> = (0..200).chain([447, 448, 511, 512, 65_535, 65_536]).collect();
        for (at, left) in lengths.iter().enumerate() {
            for right in lengths.iter().skip(at % 7).step_by(7) {
                let data = [&bytes[..*left], &bytes[9..9 + right]];
                let found = digests(1, data);
                assert_eq!(found, [expected(1, data[0]), expected(1, data[1])], "{left} and {right} bytes");
            }
        }
    }
}
