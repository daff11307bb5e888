//! What a configuration may say, and what is said of a wrong one.

use counterfoil_sink::Config;

/// The words for a configuration that is refused.
fn refused(text: &str) -> String {
    Config::parse(text).expect_err("it is refused").message
}

#[test]
fn a_wrong_configuration_is_answered_with_what_to_write() {
    let sink = |rest: &str| format!("[[sink]]\nname = \"one\"\n{rest}");
    let hook = |rest: &str| sink(&format!("type = \"webhook\"\n{rest}"));
    let mail = |rest: &str| sink(&format!("type = \"smtp\"\nfrom = \"a@example.com\"\n{rest}"));
    let table = [
        (sink("type = \"fax\""), "type: \"fax\" is none of smtp, webhook"),
        (hook(""), "address: write where the webhook is"),
        (hook("address = \"http://example.com\"\nbearer = \"abc\""), "a credential does not stand here: write { env"),
        (hook("address = \"http://example.com\"\nbearer = { env = \"PATH\" }"), "http:// would show the credential"),
        (hook("address = \"https://u:p@example.com\""), "a credential does not stand there"),
        (
            hook("address = \"https://example.com\"\nbearer = { env = \"NOT_SET_AT_ALL\" }"),
            "bearer: variable NOT_SET_AT_ALL",
        ),
        (hook("adress = \"https://example.com\""), "unknown field `adress`, expected one of `address`"),
        (hook("adress = \"https://example.com\""), "did you mean address?"),
        (hook("address = \"https://example.com\"\ntemplate = \"slak\""), "did you mean slack?"),
        (hook("address = \"https://example.com\"\nalert = \"high\""), "unknown field `alert`"),
        (sink("type = \"webhok\""), "did you mean webhook?"),
        (hook("address = \"https://example.com\"\nevents = [\"ledger.seald\"]"), "did you mean ledger.sealed?"),
        (hook("address = \"https://example.com\"\nevents = [\"ledger.alrt_*\"]"), "the ledger records no"),
        (
            hook("address = \"https://example.com\"\nalerts = \"loud\""),
            "unknown variant `loud`, expected one of `informational`",
        ),
        (hook("address = \"https://example.com\"\ntemplate = \"pagerduty\""), "routing_key: write it with template"),
        (hook("address = \"https://example.com\"\nca = \"/nowhere.pem\""), "ca: /nowhere.pem"),
        (hook("address = \"https://example.com\"\nevents = [\"\"]"), "events: \"\" names nothing"),
        (mail("to = []\naddress = \"smtps://example.com\""), "to: write 1 to 50 addresses"),
        (mail("to = [\"b\"]\naddress = \"smtps://example.com\""), "to: \"b\""),
        (mail("to = [\"b@example.com\"]\naddress = \"smtp://example.com\"\ntls = \"none\""), "on this machine alone"),
        (sink("type = \"syslog\"\naddress = \"tls://example.com\""), "write tls://HOST:6514"),
        (sink("type = \"file\"\naddress = \"here\""), "the file's whole path"),
        ("[[sink]]\nname = \"../x\"\ntype = \"file\"\naddress = \"/tmp/x\"".to_owned(), "it names a file"),
        ("console = \"ledger\"".to_owned(), "write https://ledger.example.com"),
        (hook("address = \"https://example.com\"\nalert = \"high\""), "did you mean alerts?"),
        (sink("typ = \"file\"\naddress = \"/tmp/x\""), "type is missing: did you mean it by \"typ\"?"),
        (sink("to = \"a@example.com\""), "type is missing"),
        ("[[sink]]\nnmae = \"one\"\ntype = \"file\"".to_owned(), "name is missing: did you mean it by \"nmae\"?"),
        ("[sink]\nname = \"one\"\ntype = \"file\"".to_owned(), "write [[sink]], with two brackets"),
        ("[[sinks]]".to_owned(), "unknown field `sinks`"),
        ("[[sinks]]".to_owned(), "did you mean sink?"),
    ];
    for (text, wanted) in table {
        let said = refused(&text);
        assert!(said.contains(wanted), "{text}\nsaid: {said}\nwanted: {wanted}");
    }
    let twice = "[[sink]]\nname = \"one\"\ntype = \"file\"\naddress = \"/tmp/x\"\n".repeat(2);
    assert!(refused(&twice).contains("the name stands twice"));
}

#[test]
fn no_configuration_makes_it_panic() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/sinks");
    let mut dice = 1_u64;
    let mut below = |most: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) as usize % most
    };
    for input in std::fs::read_dir(corpus).expect("a corpus") {
        let text = std::fs::read(input.expect("an input").path()).expect("it is read");
        Config::parse(std::str::from_utf8(&text).expect("UTF-8")).expect("it is good");
        for _ in 0..300 {
            let mut damaged = text.clone();
            let at = below(damaged.len());
            damaged[at] = below(128) as u8;
            counterfoil_sink::fuzz(&damaged);
        }
    }
}

#[test]
fn a_credential_in_a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let text = format!(
        "[[sink]]\nname = \"one\"\ntype = \"webhook\"\naddress = \"https://example.com\"\nbearer = {{ file = {pipe:?} }}\n"
    );
    assert!(refused(&text).contains("it is no regular file"));
}

#[test]
fn nothing_shown_is_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("slack");
    std::fs::write(&path, "https://hooks.slack.com/services/T0/B0/SECRET").expect("it is written");
    let text = format!(
        "[[sink]]\nname = \"chat\"\ntype = \"webhook\"\ntemplate = \"slack\"\naddress = {{ file = {path:?} }}\n"
    );
    let config = Config::parse(&text).expect("a configuration");
    assert!(!format!("{config:?}").contains("SECRET"));
}
