//! Logging in and encryption.

use counterfoil::ErrorKind;
use counterfoil_postgres::{Connection, Dsn, Patience};

use crate::server::{Server, checked, follow_once, ledger};

const CERTIFICATES: &str = "set -e; \
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=ca; \
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=db; \
    printf 'subjectAltName=IP:127.0.0.1' >san; \
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out server.crt -extfile san; \
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ../app.key -out app.csr -subj /CN=app; \
    openssl x509 -req -in app.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out ../app.crt -extfile san; \
    chmod 644 ca.pem ../app.key; cp ca.pem ..; chmod 600 server.key; \
    sed -i '1i hostssl postgres app 127.0.0.1/32 cert\\nhostssl all follower,app 127.0.0.1/32 scram-sha-256\\nhostnossl all follower,app 127.0.0.1/32 reject' pg_hba.conf";

#[test]
fn a_password_over_verified_tls_is_enough_to_follow_and_to_check() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    server.record(1, 3);
    server.in_data(CERTIFICATES);
    server.sql("postgres", "ALTER SYSTEM SET ssl_ca_file = 'ca.pem'");
    server.sql("postgres", "ALTER SYSTEM SET ssl = on");
    server.sql("postgres", "ALTER ROLE follower PASSWORD 's3cret:/'; SELECT pg_reload_conf()");
    let dsn = |password: &str, rest: &str| {
        Dsn::parse(&format!("postgres://follower:{password}@127.0.0.1:{}/postgres?{rest}", server.port)).unwrap()
    };
    let verified = format!("sslmode=verify-full&sslrootcert={}", server.path("ca.pem"));
    let good = dsn("s3cret%3A%2F", &verified);
    crate::server::wait_for("the settings are read", || Connection::open(&good, &Patience::default()).is_ok());
    assert_eq!(follow_once(&good, &ledger).rows, 3);
    assert_eq!(checked(&good, &ledger).1, vec![]);
    let wrong = Connection::open(&dsn("guess", &verified), &Patience::default()).expect_err("a wrong password");
    assert_eq!(wrong.kind, ErrorKind::Denied, "{wrong}");
    assert!(!wrong.message.contains("guess"));
    let none = Dsn::parse(&format!("postgres://follower@127.0.0.1:{}/postgres?{verified}", server.port)).unwrap();
    assert!(Connection::open(&none, &Patience::default()).expect_err("no password").message.contains("PGPASSWORD"));
    let certified = format!("{verified}&sslcert={}&sslkey={}", server.path("app.crt"), server.path("app.key"));
    let as_user =
        |user: &str| Dsn::parse(&format!("postgres://{user}@127.0.0.1:{}/postgres?{certified}", server.port)).unwrap();
    Connection::open(&as_user("app"), &Patience::default()).expect("a certificate in the place of a password");
    assert!(
        Connection::open(&as_user("follower"), &Patience::default())
            .expect_err("the certificate is app's")
            .message
            .contains("PGPASSWORD")
    );
    let without = Dsn::parse(&format!("postgres://app@127.0.0.1:{}/postgres?{verified}", server.port)).unwrap();
    assert_eq!(Connection::open(&without, &Patience::default()).expect_err("no certificate").kind, ErrorKind::Denied);
    let unknown = Connection::open(&dsn("s3cret%3A%2F", "sslmode=verify-full"), &Patience::default())
        .expect_err("a certificate of nobody");
    assert!(unknown.message.contains("certificate"), "{unknown}");
    let plain = Connection::open(&dsn("s3cret%3A%2F", "sslmode=disable"), &Patience::default())
        .expect_err("refused in the clear");
    assert_eq!(plain.kind, ErrorKind::Denied, "{plain}");
}
