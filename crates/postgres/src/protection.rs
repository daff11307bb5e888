//! Whether the table is protected as install left it, and whether it was ever otherwise since the follower looked.
//!
//! The second is told by the marks of the objects that protect it: number and last transaction of each one's row in the
//! catalog. Whoever disables a trigger or replaces a function for a while and puts it back leaves another mark.

use std::collections::BTreeMap;

use counterfoil::{Error, ErrorKind, Result};

use crate::install::{SQL, VERSION, version};
use crate::row::COLUMNS;
use crate::wire::{Connection, Texts};

/// The marks of all that protects the table, by name.
pub(crate) type Marks = BTreeMap<String, String>;

/// The types of the table's columns, in order.
const TYPES: &str = "bigint, timestamp with time zone, text, text, text, text, text, text, jsonb, jsonb, text, text, jsonb, text, \
                     xid8, timestamp with time zone, text, bytea";

const MARKS: &str = "WITH t AS (SELECT * FROM pg_class WHERE oid = 'counterfoil.audit_log'::regclass) \
    SELECT 'the table', concat_ws('/', oid, relfilenode, relkind, relpersistence, relowner, relrowsecurity) FROM t \
    UNION ALL SELECT 'trigger ' || tgname, g.oid || '/' || g.xmin FROM pg_trigger g, t WHERE tgrelid = t.oid AND NOT tgisinternal \
    UNION ALL SELECT 'function ' || p.oid::regprocedure, p.oid || '/' || p.xmin FROM pg_proc p, t WHERE pronamespace = relnamespace \
    UNION ALL SELECT 'constraint ' || conname, c.oid || '/' || c.xmin FROM pg_constraint c, t WHERE conrelid = t.oid \
    UNION ALL SELECT 'column ' || attname, a.attnum || '/' || a.xmin FROM pg_attribute a, t WHERE attrelid = t.oid AND attnum > 0 \
    UNION ALL SELECT 'rule ' || rulename, r.oid || '/' || r.xmin FROM pg_rewrite r, t WHERE ev_class = t.oid \
    UNION ALL SELECT 'the publication', concat_ws('/', p.oid, p.xmin, r.oid, r.xmin) FROM t, pg_publication p \
      LEFT JOIN pg_publication_rel r ON prpubid = p.oid AND prrelid = 'counterfoil.audit_log'::regclass WHERE pubname = 'counterfoil'";

/// What can be told by a statement alone, in words.
const PROBLEMS: &str = "WITH t AS (SELECT * FROM pg_class WHERE oid = 'counterfoil.audit_log'::regclass) \
    SELECT 'counterfoil.audit_log is no ordinary, logged table any more' FROM t WHERE relkind <> 'r' OR relpersistence <> 'p' \
    UNION ALL SELECT 'row security hides rows of the table' FROM t WHERE relrowsecurity \
    UNION ALL SELECT 'rule ' || rulename || ' rewrites statements on the table' FROM pg_rewrite, t WHERE ev_class = t.oid AND relkind = 'r' \
    UNION ALL SELECT 'the table shares rows with ' || i.inhrelid::regclass FROM pg_inherits i, t WHERE inhparent = t.oid \
    UNION ALL SELECT 'the table belongs to ' || rolname || ', who can log in' FROM t JOIN pg_roles r ON r.oid = relowner WHERE rolcanlogin \
    UNION ALL SELECT CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee) END || ' may ' || privilege_type || ' on the table' \
      FROM t, aclexplode(relacl) WHERE privilege_type <> 'SELECT' AND grantee <> relowner \
    UNION ALL SELECT 'the publication counterfoil no longer publishes all of the table' WHERE NOT EXISTS \
      (SELECT FROM pg_publication p JOIN pg_publication_tables USING (pubname) WHERE pubname = 'counterfoil' \
         AND schemaname = 'counterfoil' AND tablename = 'audit_log' AND rowfilter IS NULL AND cardinality(attnames) >= 18 \
         AND pubinsert AND pubupdate AND pubdelete AND pubtruncate)";

/// The marks as they are now.
pub(crate) fn marks(connection: &mut Connection) -> Result<Marks> {
    let rows = connection.all(MARKS)?.into_iter();
    Ok(rows.filter_map(|row| <[_; 2]>::try_from(row).ok()).filter_map(|[name, mark]| Some((name?, mark?))).collect())
}

/// What was altered between two looks, in words; none when nothing was.
pub(crate) fn altered(before: &Marks, now: &Marks) -> Option<String> {
    let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
    let names: Vec<_> = names.filter(|name| before.get(*name) != now.get(*name)).map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What is not as install left it, each in words.
///
/// Errors: `Invalid` for a table of another version, which cannot be judged.
pub(crate) fn problems(connection: &mut Connection) -> Result<Vec<String>> {
    let made = version(connection)?;
    if made != Some(VERSION) {
        let made = made.map_or("no known version".to_owned(), |made| format!("version {made}"));
        let message = format!("the audit table is of {made}, this program knows version {VERSION}");
        return Err(Error::new(
            ErrorKind::Invalid,
            message + ": bring both together with `counterfoil postgres install`",
        ));
    }
    let mut problems = Vec::new();
    for row in connection.all(PROBLEMS)? {
        problems.extend(row.into_iter().flatten());
    }
    let columns = connection.all(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'counterfoil.audit_log'::regclass \
         AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )?;
    if columns != COLUMNS.iter().zip(TYPES.split(", ")).map(|(name, kind)| texts(&[name, kind])).collect::<Vec<_>>() {
        problems.push("the table's columns are not those that install made".to_owned());
    }
    let found = connection.all(
        "SELECT 'trigger ' || tgname, pg_get_triggerdef(oid), tgenabled FROM pg_trigger \
         WHERE tgrelid = 'counterfoil.audit_log'::regclass AND NOT tgisinternal",
    )?;
    unlike(installed_triggers(), found, &mut problems);
    let found = connection.all(
        "SELECT 'function ' || proname || '()', prosrc, prosecdef, array_to_string(proconfig, ';'), pg_get_userbyid(proowner) \
         FROM pg_proc WHERE pronamespace = 'counterfoil'::regnamespace",
    )?;
    unlike(installed_functions(), found, &mut problems);
    Ok(problems)
}

/// Names what is missing, altered or too many; the first text of each is its name.
fn unlike(installed: Vec<Texts>, mut found: Vec<Texts>, problems: &mut Vec<String>) {
    for wanted in installed {
        let name = wanted[0].clone().unwrap_or_default();
        match found.iter().position(|one| *one == wanted) {
            Some(place) => drop(found.swap_remove(place)),
            None => {
                found.retain(|one| one[0] != wanted[0]);
                problems.push(format!("{name} is missing, disabled or not as install made it"));
            }
        }
    }
    problems.extend(found.into_iter().map(|one| format!("{} is not of install", one[0].clone().unwrap_or_default())));
}

fn texts(values: &[&str]) -> Texts {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

/// Name, definition and state of each trigger.
fn installed_triggers() -> Vec<Texts> {
    let statements = SQL.split("CREATE OR REPLACE TRIGGER ").skip(1).filter_map(|text| text.split(';').next());
    let words = statements.map(|text| text.split_whitespace().collect::<Vec<_>>());
    words
        .map(|words| texts(&[&format!("trigger {}", words[0]), &format!("CREATE TRIGGER {}", words.join(" ")), "A"]))
        .collect()
}

/// Name, body, whether it runs as its owner, settings and owner of each function.
fn installed_functions() -> Vec<Texts> {
    let statements = SQL.split("CREATE OR REPLACE FUNCTION counterfoil.").skip(1);
    let parts = statements.filter_map(|text| {
        let (head, rest) = text.split_once("AS $$")?;
        Some((head.split('(').next()?, head.contains("SECURITY DEFINER"), rest.split_once("$$")?.0))
    });
    let function = |(name, definer, body): (&str, bool, &str)| {
        let definer = if definer { "t" } else { "f" };
        texts(&[&format!("function {name}()"), body, definer, "search_path=pg_catalog, pg_temp", "counterfoil_owner"])
    };
    parts.map(function).collect()
}
