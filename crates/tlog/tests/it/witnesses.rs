use counterfoil_tlog::witness::{AddCheckpoint, Head, Refusal, read_conflict, read_cosignatures};
use counterfoil_tlog::{
    Checkpoint, EMPTY_ROOT, Error, Hash, KeyName, KeyType, Note, NoteSigner, Origin, Signature, Signer, TreeSize,
    VerifierKey, consistency_proof, cosignature,
};
use serde::Deserialize;

use crate::{naive, vectors};

const TIME: u64 = 1_700_000_000;

/// A witness for one log, as a service would put it together.
struct Service {
    keys: Vec<VerifierKey>,
    head: Head,
    signers: Vec<NoteSigner>,
}

impl Service {
    fn new(log_key: &str, signers: Vec<NoteSigner>) -> Self {
        Self { keys: vec![log_key.parse().unwrap()], head: Head::EMPTY, signers }
    }

    fn post(&mut self, body: &[u8]) -> (u16, String) {
        match self.add(body) {
            Ok(lines) => (200, lines),
            Err(refusal) => (refusal.status(), refusal.body()),
        }
    }

    fn add(&mut self, body: &[u8]) -> Result<String, Refusal> {
        let request = AddCheckpoint::parse(body)?;
        let known = request.checkpoint().origin.as_str() == self.keys[0].name().as_str();
        let acceptance = request.check(if known { &self.keys } else { &[] }, &self.head)?;
        self.head = acceptance.head();
        let signers: Vec<&dyn Signer> = self.signers.iter().map(|signer| signer as &dyn Signer).collect();
        Ok(acceptance.cosign(TIME, &signers)?)
    }
}

#[derive(Deserialize)]
struct Torchwood {
    log_vkey: String,
    witness_name: String,
    witness_test_seed_hex: String,
    witness_cosig_vkey: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    body: String,
    upstream_assert: String,
    spec_status_v1: u16,
}

#[test]
fn torchwoods_sequence() {
    let file: Torchwood = vectors::json(&vectors::testdata("witness-add-checkpoint/torchwood-sequence.json"));
    let seed = hex::decode(&file.witness_test_seed_hex).unwrap().try_into().unwrap();
    let name = KeyName::new(&file.witness_name).unwrap();
    let signer = NoteSigner::from_seed(name, KeyType::Cosignature, &seed).unwrap();
    assert_eq!(signer.verifier_key().to_string(), file.witness_cosig_vkey);
    let key = signer.verifier_key().clone();
    let mut service = Service::new(&file.log_vkey, vec![signer]);
    assert_eq!(file.steps.len(), 9);
    for (number, step) in file.steps.iter().enumerate() {
        let (status, body) = service.post(step.body.as_bytes());
        assert_eq!(status, step.spec_status_v1, "step {number}: {body}");
        if let Some(expected) = step.upstream_assert.strip_prefix("body == ") {
            assert_eq!(format!("{body:?}"), expected, "step {number}");
        }
        if status == 200 {
            let note = Note::parse(step.body.split_once("\n\n").unwrap().1.as_bytes()).unwrap();
            let lines = read_cosignatures(&note, body.as_bytes(), std::slice::from_ref(&key)).unwrap();
            assert_eq!(lines.len(), 1);
            assert_eq!(cosignature::split(&lines[0].bytes).unwrap().timestamp, TIME);
        }
    }
}

#[derive(Deserialize)]
struct TransparencyDev {
    log_vkey: String,
    witness_vkey_ed25519: String,
    derived_requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    body: String,
    expect: u16,
    expect_body: Option<String>,
}

#[test]
fn transparency_devs_requests() {
    let file: TransparencyDev = vectors::json(&vectors::testdata("witness-add-checkpoint/transparency-dev.json"));
    assert!(file.witness_vkey_ed25519.parse::<VerifierKey>().is_ok());
    let mut service = Service::new(&file.log_vkey, vec![witness(KeyType::Cosignature)]);
    for request in file.derived_requests {
        let written = AddCheckpoint::parse(request.body.as_bytes()).unwrap().to_string();
        assert_eq!(written, request.body);
        let (status, body) = service.post(request.body.as_bytes());
        assert_eq!(status, request.expect, "{body}");
        if let Some(expected) = request.expect_body {
            assert_eq!(body, expected);
        }
    }
    assert_eq!(service.head.size, TreeSize(8));
}

fn witness(key_type: KeyType) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new("witness.example/w1").unwrap(), key_type, &[8; 32]).unwrap()
}

/// A log of our own with leaves to prove.
struct Log {
    leaves: Vec<Hash>,
    signer: NoteSigner,
}

impl Log {
    fn new() -> Self {
        let name = KeyName::new("example.com/log").unwrap();
        let signer = NoteSigner::from_seed(name, KeyType::Ed25519, &[9; 32]).unwrap();
        Self { leaves: naive::leaves(50), signer }
    }

    fn service(&self) -> Service {
        let signers = vec![witness(KeyType::Cosignature), witness(KeyType::MlDsa44)];
        Service::new(&self.signer.verifier_key().to_string(), signers)
    }

    fn note(&self, size: u64, root: Hash) -> Note {
        let origin = Origin::from(self.signer.verifier_key().name());
        Checkpoint::new(origin, TreeSize(size), root).sign(&self.signer).unwrap()
    }

    fn request(&self, old: u64, size: u64) -> String {
        let root = naive::root(&self.leaves[..size as usize]);
        let nodes = naive::Nodes::over(&self.leaves);
        let proof = consistency_proof(&nodes, TreeSize(old.min(size)), TreeSize(size)).unwrap();
        AddCheckpoint::new(TreeSize(old), proof, &self.note(size, root)).unwrap().to_string()
    }
}

#[test]
fn a_log_grows_under_a_witness_with_two_keys() {
    let log = Log::new();
    let mut service = log.service();
    let keys: Vec<_> = service.signers.iter().map(|signer| signer.verifier_key().clone()).collect();
    let mut old = 0;
    for size in [0, 0, 1, 1, 7, 8, 31, 50, 50] {
        let (status, body) = service.post(log.request(old, size).as_bytes());
        assert_eq!(status, 200, "{old} to {size}: {body}");
        let mut note = log.note(size, naive::root(&log.leaves[..size as usize]));
        let lines = read_cosignatures(&note, body.as_bytes(), &keys).unwrap();
        assert_eq!(lines.len(), 2);
        lines.into_iter().for_each(|line| note.add(line));
        let origin = Origin::from(log.signer.verifier_key().name());
        let log_key = std::slice::from_ref(log.signer.verifier_key());
        let opened = Checkpoint::open(note.to_string().as_bytes(), &origin, log_key, &keys).unwrap();
        assert_eq!(opened.note.verified.len(), 3);
        old = size;
    }
    let (status, body) = service.post(log.request(8, 50).as_bytes());
    assert_eq!((status, read_conflict(body.as_bytes())), (409, Ok(TreeSize(50))));
}

/// The refusals in the order of the standard: each request has every later fault as well.
#[test]
fn the_first_fault_in_the_standards_order_decides() {
    let log = Log::new();
    let mut service = log.service();
    assert_eq!(service.post(log.request(0, 7).as_bytes()).0, 200);
    let before = service.head;
    let fork = log.note(9, naive::leaf(b"fork"));
    let body = |old: u64, proof: &[Hash], note: &Note| {
        AddCheckpoint::new(TreeSize(old), proof.to_vec(), note).unwrap().to_string()
    };

    let malformed = body(9, &[], &fork).replace("old 9", "old 09");
    assert_eq!(service.post(malformed.as_bytes()).0, 400);
    let unknown = body(10, &[], &fork).replace("example.com/log", "example.com/gol");
    assert_eq!(service.post(unknown.as_bytes()).0, 404);
    let mut spoilt = fork.clone();
    let mut line = fork.signatures()[0].clone();
    line.bytes[0] ^= 1;
    spoilt.add(line);
    assert_eq!(service.post(body(10, &[], &spoilt).as_bytes()).0, 403);
    let mut unsigned = Note::new(fork.text()).unwrap();
    unsigned.add(cosignature::cosign(fork.text(), 1, &witness(KeyType::Cosignature)).unwrap());
    assert_eq!(service.post(body(10, &[], &unsigned).as_bytes()).0, 403);
    let unreadable = body(10, &[], &fork).replace("\u{2014} ", "\u{2014} ?");
    assert_eq!(service.post(unreadable.as_bytes()).0, 403);
    assert_eq!(service.post(body(10, &[], &fork).as_bytes()).0, 400);
    assert_eq!(service.post(body(8, &[], &fork).as_bytes()), (409, "7\n".into()));
    assert_eq!(service.post(body(0, &[], &fork).as_bytes()), (409, "7\n".into()));
    assert_eq!(service.post(body(7, &[], &fork).as_bytes()).0, 422);
    let other_seven = log.note(7, naive::leaf(b"fork"));
    assert_eq!(service.post(body(7, &[], &other_seven).as_bytes()).0, 422);
    let padded = body(7, &[naive::leaf(b"more")], &log.note(7, before.root));
    assert_eq!(service.post(padded.as_bytes()).0, 422);
    assert_eq!(service.head, before, "a refusal changes nothing");
    assert_eq!(service.post(log.request(7, 9).as_bytes()).0, 200);
}

#[test]
fn the_first_checkpoint() {
    let log = Log::new();
    let hash = naive::leaf(b"any");
    let status = |proof: &[Hash], note: Note| {
        let request = AddCheckpoint::new(TreeSize(0), proof.to_vec(), &note).unwrap().to_string();
        log.service().post(request.as_bytes()).0
    };
    assert_eq!(status(&[], log.note(0, EMPTY_ROOT)), 200);
    assert_eq!(status(&[], log.note(0, hash)), 422);
    assert_eq!(status(&[], log.note(3, hash)), 200);
    assert_eq!(status(&[hash], log.note(3, hash)), 422);
}

#[test]
fn malformed_requests() {
    let log = Log::new();
    let good = log.request(7, 9);
    assert!(AddCheckpoint::parse(good.as_bytes()).is_ok());
    let hash = naive::leaf(b"hash").to_base64();
    let wrong = [
        String::new(),
        good.replace("old 7", "old -7"),
        good.replace("old 7", "old 9223372036854775808"),
        good.replace("old 7", "old  7"),
        good.replace("old 7", "new 7"),
        good.replace("old 7\n", ""),
        good.replace("old 7\n", "old 7\n\n"),
        good.replace("old 7\n", "old 7\nAAAA\n"),
        good.replacen("\n\n", "\n", 1),
        good.trim_end().to_owned(),
        good.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n") + "\n",
        good.replace("\n9\n", "\n09\n"),
        good.replace("old 7\n", &format!("old 7\n{}", format!("{hash}\n").repeat(64))),
    ];
    for body in wrong {
        let refusal = Refusal::from(AddCheckpoint::parse(body.as_bytes()).unwrap_err());
        assert_eq!((refusal.status(), refusal.content_type()), (400, "text/plain; charset=utf-8"), "{body:?}");
    }
    let note = log.note(9, naive::root(&log.leaves[..9]));
    let too_long = AddCheckpoint::new(TreeSize(7), vec![Hash([0; 32]); 64], &note);
    assert!(matches!(too_long, Err(Error::MalformedMessage(_))));
    assert_eq!(Refusal::Conflict(TreeSize(7)).content_type(), "text/x.tlog.size");
}

#[test]
fn answers_are_checked_by_the_log() {
    let log = Log::new();
    let note = log.note(9, naive::leaf(b"root"));
    let witness = witness(KeyType::Cosignature);
    let keys = [witness.verifier_key().clone()];
    let stranger = NoteSigner::from_seed(KeyName::new("stranger").unwrap(), KeyType::Cosignature, &[1; 32]).unwrap();
    let line = |time, signer: &NoteSigner| cosignature::cosign(note.text(), time, signer).unwrap();
    let read = |body: String| read_cosignatures(&note, body.as_bytes(), &keys);

    let (good, foreign) = (line(5, &witness), line(5, &stranger));
    assert_eq!(read(format!("{foreign}\n{good}\n")), Ok(vec![good.clone()]));
    assert_eq!(read(format!("{foreign}\n")), Err(Error::NoTrustedSignature));
    assert!(matches!(read(format!("{}\n", line(0, &witness))), Err(Error::InvalidCosignature(_))));
    let other_note = log.note(10, naive::leaf(b"root"));
    let misplaced = cosignature::cosign(other_note.text(), 5, &witness).unwrap();
    assert!(matches!(read(format!("{misplaced}\n")), Err(Error::InvalidSignature { .. })));
    for body in [String::new(), "\n".into(), format!("{good}"), format!("{good}\n\n"), format!("{good}\nhello\n")] {
        assert!(read(body.clone()).is_err(), "{body:?}");
    }
    let many: String = (0..101).map(|_| format!("{foreign}\n")).collect();
    assert!(matches!(read(many), Err(Error::MalformedMessage(_))));
    assert!(good.to_string().parse::<Signature>().is_ok());

    assert_eq!(read_conflict(b"8\n"), Ok(TreeSize(8)));
    for body in [&b"8"[..], b"", b"08\n", b"8\n\n", b"eight\n", b"\xff\n"] {
        assert!(read_conflict(body).is_err(), "{body:?}");
    }
}

#[test]
fn a_witness_states_its_time() {
    let log = Log::new();
    let request = AddCheckpoint::parse(log.request(0, 3).as_bytes()).unwrap();
    let acceptance = request.check(std::slice::from_ref(log.signer.verifier_key()), &Head::EMPTY).unwrap();
    let signer = witness(KeyType::Cosignature);
    assert!(matches!(acceptance.cosign(0, &[&signer]), Err(Error::InvalidCosignature(_))));
    assert!(acceptance.cosign(TIME, &[&signer]).is_ok());
}
