//! TLS: the service's certificate, and those of its clients.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::place::Place;
use crate::service::{Running, wait_for};

const ENTRY: &str = r#"{"event_type":"invoice_paid","actor":"a","entity_id":"INV-9"}"#;

fn openssl(place: &Place, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(place.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority: `NAME.key` and `NAME.pem`.
fn authority(place: &Place, name: &str) {
    let (key, cert, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let new = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", &key, "-out", &cert, "-subj", &subject];
    openssl(place, &new);
}

/// A certificate with this common name, for this machine: `NAME.key` and `NAME.pem`.
fn issue(place: &Place, name: &str, by: &str) {
    let (key, request, cert) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
    let (ca, ca_key, subject) = (format!("{by}.pem"), format!("{by}.key"), format!("/CN={name}"));
    let new = ["req", "-newkey", "ed25519", "-nodes", "-keyout", &key, "-out", &request, "-subj", &subject];
    openssl(place, &new);
    place.write("san.ext", "subjectAltName=IP:127.0.0.1\n");
    let by = ["-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial"];
    let sign = ["x509", "-req", "-in", &request, "-out", &cert, "-extfile", "san.ext"];
    openssl(place, &[&sign[..], &by].concat());
}

/// A service with a certificate of `first-ca`, which also knows the client `invoice-service`.
fn service() -> Running {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    authority(&place, "first-ca");
    authority(&place, "second-ca");
    issue(&place, "service", "first-ca");
    issue(&place, "invoice-service", "first-ca");
    Running::on(place, &["--tls-cert", "service.pem", "--tls-key", "service.key", "--tls-client-ca", "first-ca.pem"])
}

fn token(service: &Running) -> String {
    service.place.ok(&["token", "create", "audit", "--role", "writer", "--name", "invoice-service"]).trim().to_owned()
}

#[test]
fn tls_shows_the_newest_certificate_and_knows_clients_by_theirs() {
    let service = service();
    let token = token(&service);
    let url = format!("https://{}/api/v1/entries", service.address);
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["-s", "-w", "%{http_code}", "-H", "content-type: application/json", "-d", ENTRY, &url])
            .args(arguments)
            .current_dir(service.place.path(""))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let bearer = format!("authorization: Bearer {token}");
    assert!(curl(&["--cacert", "first-ca.pem", "-H", &bearer]).ends_with("201"));
    assert!(curl(&["--cacert", "second-ca.pem", "-H", &bearer]).ends_with("000"), "a stranger's certificate");
    // A refusal before the body was read may reach curl as a broken stream.
    wait_for("a refusal", || curl(&["--cacert", "first-ca.pem"]).ends_with("401").then_some(()));
    let certificate = ["--cacert", "first-ca.pem", "--cert", "invoice-service.pem", "--key", "invoice-service.key"];
    assert!(curl(&certificate).ends_with("201"), "the certificate's name is a principal");
    service.place.ok(&["token", "revoke", "audit", "invoice-service"]);
    wait_for("an end with it", || curl(&certificate).ends_with("401").then_some(()));
    let fresh = service.place.path("");
    for (from, to) in [("service.key", "old.key"), ("service.pem", "old.pem")] {
        std::fs::rename(fresh.join(from), fresh.join(to)).unwrap();
    }
    issue(&service.place, "service", "second-ca");
    wait_for("the new certificate", || curl(&["--cacert", "second-ca.pem"]).ends_with("401").then_some(()));
}

#[test]
fn a_revoked_certificate_ends_with_its_token_on_an_open_connection_too() {
    let service = service();
    token(&service);
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &service.address, "-CAfile", "first-ca.pem"])
        .args(["-cert", "invoice-service.pem", "-key", "invoice-service.key"])
        .current_dir(service.place.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (client.stdin.take().unwrap(), BufReader::new(client.stdout.take().unwrap()));
    let mut status = || {
        write!(to, "GET /api/v1/checkpoint HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut line = String::new();
        while !line.starts_with("HTTP/1.1") {
            line.clear();
            assert!(from.read_line(&mut line).unwrap() > 0, "the connection ended");
        }
        line.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status(), "200");
    service.place.ok(&["token", "revoke", "audit", "invoice-service"]);
    assert_eq!(status(), "401");
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn https_against_a_service_without_tls_is_told_to_use_http() {
    let service = Running::start();
    authority(&service.place, "ca");
    let mut command = service.place.command(&["status", &format!("https://{}", service.address)]);
    let ran = crate::place::Ran::of(command.env("COUNTERFOIL_CA_CERT", "ca.pem").output().unwrap());
    ran.refused(5, &["It does not speak TLS: use http://"]);
}
