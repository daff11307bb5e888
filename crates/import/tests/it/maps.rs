//! Maps that are wrong say where and why.

use counterfoil_import::{Import, Map, shipped_maps};

use crate::fixtures::{checked, text, workspace};

const CSV: &str = "format = \"csv\"\ntimestamp = { from = \"t\" }\nevent_type = \"x\"\nactor = \"a\"\n";

fn fault(map: &str) -> String {
    Map::parse(map).unwrap_err().to_string()
}

/// A CSV map with these lines after its four first ones.
fn fault_in(rest: &str) -> String {
    fault(&format!("{CSV}{rest}"))
}

#[test]
fn every_shipped_map_is_sound() {
    for map in shipped_maps() {
        let parsed = Map::shipped(map.name).unwrap_or_else(|error| panic!("{}: {error}", map.name));
        assert!(!parsed.description().is_empty(), "{}", map.name);
    }
    let mut files: Vec<_> = std::fs::read_dir(workspace().join("maps"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut names: Vec<_> = shipped_maps().iter().map(|map| format!("{}.toml", map.name)).collect();
    names.sort();
    assert_eq!(files, names);
    let unknown = Map::shipped("bpic2013").unwrap_err().to_string();
    assert!(unknown.contains("bpic2012-loan, bpic2020-declarations"), "{unknown}");
}

#[test]
fn text_that_is_no_map_names_its_line() {
    assert_eq!(fault("format = \"csv\"\nformat = 3\n"), "map line 2: duplicate key");
    assert!(
        fault("format = \"xml\"").starts_with("map line 1: unknown variant `xml`"),
        "{}",
        fault("format = \"xml\"")
    );
    let unknown = fault_in("\ncolour = \"red\"\n");
    assert!(unknown.starts_with("map line 6: unknown field `colour`"), "{unknown}");
    let nested = fault_in("entity_id = { from = \"e\", colour = 1 }\n");
    assert!(nested.starts_with("map line 5: unknown field `colour`"), "{nested}");
    let float = fault_in("entity_id = 1.5\n");
    assert!(float.starts_with("map line 5: invalid type: floating point"), "{float}");
}

#[test]
fn what_an_entry_needs_must_be_mapped() {
    assert!(fault("").starts_with("map, format: missing"));
    assert!(fault("format = \"csv\"").starts_with("map, timestamp: missing"));
    assert_eq!(fault_in(""), "map, entity_id: missing: every entry needs one");
}

#[test]
fn contradictions_name_line_and_key() {
    for (line, expected) in [
        (
            "entity_id = { from = \"e\", first = [\"e\"] }",
            "map line 5, entity_id: needs exactly one of from, constant, template, first, rules and object",
        ),
        (
            "entity_id = { from = \"e\", missing = \"omit\" }",
            "map line 5, entity_id: cannot be omitted: every entry needs it",
        ),
        (
            "entity_id = { from = \"e\", missing = \"refuse\", fill = \"x\" }",
            "map line 5, entity_id: has both `missing` and `fill`",
        ),
        ("entity_id = { from = \"e\", unlisted = \"refuse\" }", "map line 5, entity_id: `unlisted` needs `values`"),
        (
            "entity_id = { from = \"e\", otherwise = \"x\" }",
            "map line 5, entity_id: `otherwise` needs `values` or `rules`",
        ),
        (
            "entity_id = { from = \"e\", zone = \"UTC\" }",
            "map line 5, entity_id: only timestamp has a format, a zone and ambiguous",
        ),
        ("entity_id = { from = \"e\", shorten_to = 10 }", "map line 5, entity_id: shorten_to is at least 32"),
        ("entity_id = { object = { a = \"b\" } }", "map line 5, entity_id: takes a text, not an object"),
        ("entity_id = { template = \"{e\" }", "map line 5, entity_id: template \"{e\": `{` is not closed"),
        (
            "entity_id = { rules = [{ when = \"e\", is = \"x\" }] }",
            "map line 5, entity_id: a rule needs exactly one of equals, prefix, contains and present",
        ),
        (
            "entity_id = \"e\"\nsequence = { from = \"n\" }",
            "map, sequence: stands without `source`; give both or neither",
        ),
        (
            "entity_id = \"e\"\ndelimiter = \"é\"",
            "map line 6, delimiter: one ASCII character that is no quote or line end",
        ),
        ("entity_id = \"e\"\nextends = \"qldb\"", "map line 6, extends: no shipped map is called \"qldb\""),
        (
            "entity_id = \"e\"\n[context]\n\"*\" = { from = \"c\" }",
            "map line 7, context.*: takes { from = \"a JSON object\" } alone",
        ),
        (
            "entity_id = \"e\"\n[context.a]\nobject = { b = { from = \"x\", first = [] } }",
            "map line 7, context.a.b: needs exactly one of",
        ),
    ] {
        let fault = fault_in(line);
        assert!(fault.starts_with(expected), "{line}\n{fault}");
    }
}

#[test]
fn times_and_paths_are_checked_with_the_map() {
    let map = |timestamp: &str| {
        fault(&format!(
            "format = \"jsonl\"\ntimestamp = {timestamp}\nevent_type = \"x\"\nactor = \"a\"\nentity_id = \"e\"\n"
        ))
    };
    for (timestamp, expected) in [
        ("\"2020\"", "map line 2, timestamp: needs a table"),
        ("{ from = \"t\", format = \"iso\" }", "map line 2, timestamp.format: \"iso\" is no time format"),
        ("{ from = \"t\", format = \"%!\" }", "map line 2, timestamp.format: pattern"),
        (
            "{ from = \"t\", zone = \"Europe/Atlantis\" }",
            "map line 2, timestamp.zone: \"Europe/Atlantis\" is no IANA time zone",
        ),
        ("{ from = \"a..b\" }", "map line 2, timestamp: path \"a..b\": a name is empty"),
        ("{ from = \"a[x]\" }", "map line 2, timestamp: path \"a[x]\": only a number may stand in brackets"),
    ] {
        let fault = map(timestamp);
        assert!(fault.starts_with(expected), "{timestamp}\n{fault}");
    }
    let types = fault(
        "format = \"jsonl\"\ntimestamp = { from = \"t\" }\nevent_type = \"x\"\nactor = \"a\"\nentity_id = \"e\"\n[types]\na = \"number\"\n",
    );
    assert_eq!(types, "map, types: only CSV columns need types; JSON has its own");
}

#[test]
fn a_column_that_the_file_lacks_is_named() {
    let map = format!("{CSV}entity_id = {{ template = \"{{e}}-{{n}}\" }}\n[types]\nt = \"string\"\n");
    let error = checked(&map, "t,e\n").unwrap_err().to_string();
    assert_eq!(error, "map line 5, entity_id: the file has no column \"n\"; its columns are t, e");
    let map = format!("{CSV}entity_id = \"e\"\n[types]\nz = \"number\"\n");
    let error = checked(&map, "t,e\n").unwrap_err().to_string();
    assert!(error.contains("types.\"z\": the file has no column \"z\""), "{error}");
}

#[test]
fn a_file_name_is_needed_where_the_map_uses_it() {
    let map = Map::parse(&format!("{CSV}entity_id = \"e\"\nsource = {{ from = \"$file\" }}\n")).unwrap();
    let unnamed = Import::open(text("t\n"), &map).map(|_| ()).unwrap_err().to_string();
    assert_eq!(unnamed, "map line 6, source: uses $file, but the input has no name");
    let rows = "t\n2026-01-01T00:00:00Z\n2026-01-02T00:00:00Z\n";
    let import = Import::open_named(text(rows), "jan.csv", &map).unwrap();
    let last = String::from_utf8(import.last().unwrap().unwrap().json).unwrap();
    assert!(last.contains(r#""source":"jan.csv","sequence":2"#), "{last}");
}

#[test]
fn the_maps_of_the_guide_are_sound() {
    let guide = std::fs::read_to_string(workspace().join("docs/guides/import.md")).unwrap();
    let maps: Vec<_> = guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(maps.len(), 2);
    for map in &maps {
        Map::parse(map).unwrap();
    }
    let rows = "payment no,clerk,booked,state,amount\n7,BATCH-2,02.03.2026 08:00:00,B,12.50\n";
    assert_eq!(
        crate::fixtures::imported(maps[0], rows),
        [concat!(
            r#"{"timestamp":"2026-03-02T07:00:00Z","event_type":"payment_booked","actor":"BATCH-2","actor_type":"service","#,
            r#""entity_id":"7","entity_type":"payment","source":"bank-payments","sequence":1,"#,
            r#""context":{"amount":12.50,"state":"B"}}"#
        )]
    );
    for map in shipped_maps() {
        assert!(guide.contains(&format!("`{}`", map.name)), "{}", map.name);
    }
}
