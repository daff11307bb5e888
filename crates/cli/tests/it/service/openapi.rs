//! The document of the HTTP service: what it says is what is served, and nothing is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::service::Running;
use crate::service::running::Answer;

const ROUTES: &str = include_str!("../../../../server/src/routes.rs");
const RECEIVERS: &str = include_str!("../../../../server/src/receivers/mod.rs");
const CONTRACT: &str = include_str!("../../../../../docs/formats/http.md");

const METHODS: [&str; 4] = ["get", "post", "delete", "put"];
const ROLES: [&str; 5] = ["writer", "reader", "reviewer", "auditor", "admin"];

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    described: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    /// The path of something that may not be there.
    fn example(&self) -> String {
        let levels = self.path.replace("{level}", "0").replace("/tile/0/{index}", "/tile/0/000.p/1");
        levels
            .replace("entries/{index}", "entries/0")
            .replace("{index}", "000.p/1")
            .replace("{id}", "x")
            .replace("{name}", "x")
    }

    /// Asks for it with a token, or without; GET as HEAD, since one of them never ends.
    fn ask(&self, service: &Running, token: Option<&str>) -> Answer {
        let method = if self.method == "get" { "HEAD".to_owned() } else { self.method.to_uppercase() };
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        service.call(&method, &self.example(), &headers, b"")
    }

    /// The roles that the description tells.
    fn roles(&self) -> BTreeSet<&str> {
        let text = self.described["description"].as_str().unwrap();
        let told = text.split("Roles: ").nth(1).unwrap_or_else(|| panic!("{} tells no roles", self.name()));
        match told.trim_end_matches('.') {
            "none needed" => BTreeSet::new(),
            roles => roles.split(", ").collect(),
        }
    }

    /// Whether it is answered without a token, always or by a setting.
    fn is_open(&self) -> bool {
        match self.described["security"].as_array() {
            None => false,
            Some(ways) => ways.is_empty() || ways.iter().any(|way| way.as_object().unwrap().is_empty()),
        }
    }
}

fn document(service: &Running) -> Value {
    let answer = service.call("GET", "/api/v1/openapi.json", &[], b"").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{method} {path}");
            operations.push(Operation { method: method.clone(), path: path.clone(), described: described.clone() });
        }
    }
    operations
}

/// Every route of the source with its methods, as the document writes it.
fn routes() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut routes = BTreeMap::new();
    let (api, rest) = ROUTES.split_once("let pages = [").unwrap();
    let (pages, rest) = rest.split_once("];").unwrap();
    for (prefix, source) in [("/api/v1", api), ("", rest), ("", RECEIVERS)] {
        for route in source.split(".route(\"").skip(1) {
            let (path, handlers) = route.split_once('"').unwrap();
            let handlers = handlers.lines().next().unwrap();
            let methods = METHODS.into_iter().filter(|method| handlers.contains(&format!("{method}(")));
            routes.insert(format!("{prefix}{path}"), methods.collect());
        }
    }
    for page in pages.split(',') {
        routes.insert(page.trim().trim_matches('"').to_owned(), BTreeSet::from(["get"]));
    }
    // A tile's number has slashes in it, which no path of OpenAPI can have.
    let tiles = routes.remove("/tlog/tile/{*path}").unwrap();
    routes.insert("/tlog/tile/entries/{index}".to_owned(), tiles.clone());
    routes.insert("/tlog/tile/{level}/{index}".to_owned(), tiles);
    routes
}

/// Calls `see` for every object of a JSON value.
fn walk(value: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            see(members);
            members.values().for_each(|member| walk(member, see));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        _ => {}
    }
}

#[test]
fn the_document_is_whole() {
    let service = Running::start();
    let document = document(&service);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    walk(&document, &mut |members| {
        if let Some(Value::String(target)) = members.get("$ref") {
            let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} is elsewhere"));
            assert!(document.pointer(pointer).is_some(), "{target} is not there");
        }
        if let (Some(Value::Array(required)), Some(Value::Object(properties))) =
            (members.get("required"), members.get("properties"))
        {
            for name in required {
                assert!(properties.contains_key(name.as_str().unwrap()), "{name} is required and not described");
            }
        }
    });
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for operation in operations(&document) {
        let described = &operation.described;
        assert!(ids.insert(described["operationId"].as_str().unwrap().to_owned()), "{} twice", operation.name());
        assert!(!described["summary"].as_str().unwrap().is_empty(), "{}", operation.name());
        assert!(described["tags"].as_array().unwrap().iter().all(|tag| tags.contains(&tag)), "{}", operation.name());
        let parameters = described["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().map(|parameter| match parameter["$ref"].as_str() {
            Some(target) => document.pointer(&target[1..]).unwrap(),
            None => parameter,
        });
        let in_path: BTreeSet<&str> = in_path
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let named: BTreeSet<&str> =
            operation.path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect();
        assert_eq!(in_path, named, "{}", operation.name());
    }
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let service = Running::start();
    let admin = service.token("admin");
    let document = document(&service);
    let mut described: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for operation in operations(&document) {
        let method = METHODS.into_iter().find(|method| *method == operation.method).unwrap();
        described.entry(operation.path.clone()).or_default().insert(method);
    }
    assert_eq!(described, routes());
    for (path, methods) in &described {
        let operation = Operation { method: "patch".to_owned(), path: path.clone(), described: Value::Null };
        let answer = operation.ask(&service, Some(&admin));
        let allowed: BTreeSet<String> =
            answer.header("allow").unwrap_or_default().split(',').map(str::to_ascii_lowercase).collect();
        let mut expected: BTreeSet<String> = methods.iter().map(|method| (*method).to_owned()).collect();
        if expected.contains("get") {
            expected.insert("head".to_owned());
        }
        assert_eq!(allowed, expected, "Allow of {path}");
        answer.problem(405, "not-found", &["PATCH"]);
    }
    service.get(&admin, "/api/v1/nowhere").problem(404, "not-found", &["there is nothing at"]);
    for operation in operations(&document).iter().filter(|operation| operation.method == "get") {
        if operation.path == "/api/v1/stream" {
            continue;
        }
        let answer = service.get(&admin, &operation.example());
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains("there is nothing at"), "{}: {text}", operation.name());
        let documented = &operation.described["responses"][answer.status.to_string()];
        assert!(documented.is_object(), "{} answers {}", operation.name(), answer.status);
    }
}

#[test]
fn the_contract_asks_for_nothing_that_is_not_described() {
    let service = Running::start();
    let described: BTreeSet<String> = operations(&document(&service)).iter().map(Operation::name).collect();
    let mut asked = 0;
    for method in METHODS.map(str::to_uppercase) {
        for rest in CONTRACT.split(&format!("`{method} /")).skip(1) {
            let path = rest.split(['`', '?', ' ']).next().unwrap();
            let name = format!("{method} /{path}");
            // Without the version in front, it is said of a path that was named before.
            let known = [name.clone(), name.replacen(" /", " /api/v1/", 1)];
            assert!(known.iter().any(|name| described.contains(name)), "{name} is in http.md and not described");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}

#[test]
fn each_role_is_told_where_it_counts() {
    let service = Running::start();
    let tokens = ROLES.map(|role| (role, service.token(role)));
    let document = document(&service);
    let about = document["info"]["description"].as_str().unwrap();
    for role in ROLES {
        assert!(about.contains(&format!("| `{role}` |")) && CONTRACT.contains(&format!("| `{role}` |")), "{role}");
    }
    for operation in operations(&document) {
        let told = operation.roles();
        let nobody = operation.ask(&service, None);
        assert_eq!(
            nobody.status == 401,
            !operation.is_open() && !told.is_empty(),
            "{} without a token",
            operation.name()
        );
        for (role, token) in &tokens {
            let answer = operation.ask(&service, Some(token));
            let may = told.is_empty() || told.contains(role) || operation.is_open();
            assert_eq!(answer.status != 403, may, "{role}: {} answers {}", operation.name(), answer.status);
        }
    }
}

#[test]
fn every_form_of_an_answer_can_be_compressed() {
    let service = Running::start();
    let bearer = format!("Bearer {}", service.token("reader"));
    let document = document(&service);
    let forms = document.pointer("/paths/~1api~1v1~1query/post/responses/200/content").unwrap();
    for form in forms.as_object().unwrap().keys() {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/sql"),
            ("accept", form),
            ("accept-encoding", "gzip"),
        ];
        let answer = service.call("POST", "/api/v1/query", &headers, b"SELECT * FROM audit_log").expect(200);
        assert_eq!(
            (answer.header("content-type"), answer.header("content-encoding")),
            (Some(form.as_str()), Some("gzip"))
        );
        service.place.write("answer.gz", &answer.body);
        let unpacked =
            std::process::Command::new("gzip").arg("-dc").arg(service.place.path("answer.gz")).output().unwrap();
        assert!(unpacked.status.success() && !unpacked.stdout.is_empty(), "{form} is cut");
    }
    assert!(!service.log().contains("panicked"), "{}", service.log());
}

#[test]
fn a_connection_that_will_end_says_so() {
    let service = Running::start();
    let mut stream = service.connect();
    stream.write_all(b"POST /api/v1/query HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nSELECT 1").unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("401"), "{head:?}");
    assert!(head.contains(&"connection: close".to_owned()), "what is sent next would be lost: {head:?}");
}

#[test]
fn an_entry_is_described_as_the_catalog_describes_it() {
    let service = Running::start();
    let catalog = service.place.json(&["catalog", "--json-schema"]);
    let described = document(&service)["components"]["schemas"]["NewEntry"].clone();
    for member in ["required", "dependentRequired", "additionalProperties"] {
        assert_eq!(described[member], catalog[member], "{member}");
    }
    let names = |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&described), names(&catalog));
    for (name, known) in catalog["properties"].as_object().unwrap() {
        for bound in ["type", "minLength", "maxLength", "minimum", "maximum", "format", "enum", "not"] {
            // An integer's format is for the languages that have several.
            let is_said = known.get(bound).is_some();
            assert!(
                !is_said
                    || described["properties"][name].get("$ref").is_some()
                    || described["properties"][name][bound] == known[bound],
                "{bound} of {name}"
            );
        }
    }
}
