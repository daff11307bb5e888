//! Tokens and the entries about them: neither is without the other.

use counterfoil::{Error, ErrorKind};
use counterfoil_server::{NewToken, Role, Tokens};

#[test]
fn no_token_is_made_or_ends_without_its_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = Tokens::in_folder(folder.path());
    let new = |name: &str| NewToken { name: name.into(), role: Role::Reader, prefixes: Vec::new(), expires_at: None };
    let full = || Error::new(ErrorKind::Unavailable, "the disk is full");
    assert!(tokens.create(new("lost"), "admin", |_| Err(full())).is_err());
    assert!(tokens.list().expect("read").is_empty());

    let first = tokens.create(new("desk"), "admin", |_| Ok(())).expect("made").0;
    let second = tokens.create(new("desk"), "admin", |_| Ok(())).expect("made").0;
    let mut room = 1;
    let refused = tokens.revoke("desk", "admin", |_| {
        room -= 1;
        if room < 0 { Err(full()) } else { Ok(()) }
    });
    assert_eq!(refused.expect_err("one entry too many").kind, ErrorKind::Unavailable);
    let holds = |token: &str| tokens.recognise(token).expect("read").is_some();
    assert!(holds(&first) && holds(&second), "what was not recorded was not done");

    let mut recorded = 0;
    tokens
        .revoke("desk", "admin", |_| {
            recorded += 1;
            Ok(())
        })
        .expect("revoked");
    assert_eq!(recorded, 2);
    assert!(!holds(&first) && !holds(&second));
}
