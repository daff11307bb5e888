//! The JSON of one entry, put together from one row.

use sha2::{Digest, Sha256};

use crate::json::{Json, write_string};
use crate::map::{Keep, TooLarge};
use crate::record::{Body, Reader, Reason, cell_type};

/// Bytes of an entry that a row may fill: the 65,535 of the format, less what the ledger adds.
const ROOM: usize = 65_000;

/// A member of `context`: its name and its JSON.
struct Piece {
    name: String,
    json: Vec<u8>,
    /// Whether the map may shorten it; only what it did not name is.
    kept: bool,
}

/// Puts the entry together.
pub(super) fn entry(reader: &mut Reader<'_>) -> Result<Vec<u8>, Reason> {
    let map = reader.map;
    let mut out = Vec::with_capacity(512);
    out.push(b'{');
    if let Some(text) = reader.text("timestamp", &map.timestamp)? {
        let time = map.time.read(&text).map_err(|reason| format!("timestamp: {reason}"))?;
        name("timestamp", &mut out);
        write_string(&time, &mut out);
    }
    for (member, expression) in &map.texts {
        if let Some(text) = reader.text(member, expression)? {
            name(member, &mut out);
            write_string(&text, &mut out);
        }
    }
    for (member, expression) in &map.values {
        let before = out.len();
        name(member, &mut out);
        if !reader.value(member, expression, &mut out)? {
            out.truncate(before);
        }
    }
    if let Some(expression) = &map.sequence
        && let Some(text) = reader.text("sequence", expression)?
    {
        if text.parse::<u64>().is_err() || text.starts_with('+') {
            return Err(format!("sequence: {text:?} is no whole number"));
        }
        name("sequence", &mut out);
        out.extend_from_slice(text.as_bytes());
    }
    context(reader, &mut out)?;
    out.push(b'}');
    Ok(out)
}

fn name(member: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(member, out);
    out.push(b':');
}

fn context(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Reason> {
    let mut pieces = named(reader)?;
    if let Some(field) = &reader.map.spread {
        reader.taken.extend(field.whole());
        match reader.json_at(field) {
            None | Some(Json::Null) => {}
            Some(Json::Object(members)) => {
                for (member, value) in members {
                    pieces.push(json_piece(reader, member.as_str(), value)?);
                }
            }
            Some(_) => return Err(format!("context.*: {} holds no object", field.display())),
        }
    }
    let mut kept = kept(reader)?;
    if reader.map.keep_in.is_none() {
        pieces.append(&mut kept);
    }
    refuse_twins(&pieces)?;
    let frame = out.len() + reader.map.keep_in.as_ref().map_or(0, String::len) + 32;
    shorten(reader, frame, &mut pieces, &mut kept)?;
    if let (Some(place), false) = (&reader.map.keep_in, kept.is_empty()) {
        let mut json = Vec::new();
        write_object(&kept, &mut json);
        pieces.push(Piece { name: place.clone(), json, kept: true });
        refuse_twins(&pieces)?;
    }
    if !pieces.is_empty() {
        name("context", out);
        write_object(&pieces, out);
    }
    Ok(())
}

fn named(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Reason> {
    let mut pieces = Vec::new();
    for (member, expression) in &reader.map.context {
        let mut json = Vec::new();
        if reader.value(&format!("context.{member}"), expression, &mut json)? {
            pieces.push(Piece { name: member.clone(), json, kept: false });
        }
    }
    Ok(pieces)
}

/// What the map keeps of the record without naming it.
fn kept(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Reason> {
    let map = reader.map;
    let taken = std::mem::take(&mut reader.taken);
    let wanted = |column: &str| match map.keep {
        Keep::All => true,
        Keep::Rest => !taken.contains(&column),
        Keep::Mapped => false,
    };
    let mut pieces = Vec::new();
    match reader.record.body {
        Body::Csv { header, row, .. } => {
            for (column, cell) in header.iter().zip(row) {
                if wanted(column) && !cell.is_empty() {
                    let mut json = Vec::new();
                    reader
                        .write_cell(cell, cell_type(&map.types, column), &mut json)
                        .map_err(|reason| format!("context.{column}: column {column:?} {reason}"))?;
                    pieces.push(Piece { name: column.to_owned(), json, kept: true });
                }
            }
        }
        Body::Json(Json::Object(members)) => {
            for (member, value) in members {
                if wanted(&member.lossy()) {
                    pieces.push(json_piece(reader, member.as_str(), value)?);
                }
            }
        }
        Body::Json(_) => {}
    }
    Ok(pieces)
}

fn json_piece(reader: &mut Reader<'_>, name: Option<&str>, value: &Json) -> Result<Piece, Reason> {
    let name = name.ok_or("context: a name holds half a surrogate pair")?;
    let mut json = Vec::new();
    reader.write_json(value, &mut json).map_err(|reason| format!("context.{name}: it {reason}"))?;
    Ok(Piece { name: name.to_owned(), json, kept: true })
}

fn refuse_twins(pieces: &[Piece]) -> Result<(), Reason> {
    let mut names: Vec<_> = pieces.iter().map(|piece| piece.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            Err(format!("context.{}: comes from two places (rename one in [context], or set keep_in)", pair[0]))
        }
    }
}

/// Replaces kept members by `{"omitted": {"bytes": …, "sha256": …}}`, the largest first, until the entry fits.
fn shorten(reader: &mut Reader<'_>, frame: usize, pieces: &mut [Piece], kept: &mut [Piece]) -> Result<(), Reason> {
    let size = |piece: &Piece| piece.name.len() + piece.json.len() + 4;
    let mut total = frame + pieces.iter().chain(&*kept).map(size).sum::<usize>();
    if total <= ROOM {
        return Ok(());
    }
    if reader.map.too_large == TooLarge::Refuse {
        return Err(format!(
            "context: about {total} bytes, where an entry has room for {ROOM} (the map may say too_large = \"shorten\")"
        ));
    }
    let mut large: Vec<&mut Piece> = pieces.iter_mut().chain(kept).filter(|piece| piece.kept).collect();
    large.sort_by_key(|piece| std::cmp::Reverse(piece.json.len()));
    for piece in large {
        let digest = hex::encode(Sha256::digest(&piece.json));
        let bytes = piece.json.len();
        let marker = format!("{{\"omitted\":{{\"bytes\":{bytes},\"sha256\":\"{digest}\"}}}}");
        if bytes <= marker.len() {
            break;
        }
        total = total - bytes + marker.len();
        piece.json = marker.into_bytes();
        reader.totals.count_cut(&format!("context.{}", piece.name));
        if total <= ROOM {
            return Ok(());
        }
    }
    Err(format!("context: too large for an entry even when shortened ({total} bytes)"))
}

fn write_object(pieces: &[Piece], out: &mut Vec<u8>) {
    out.push(b'{');
    for piece in pieces {
        name(&piece.name, out);
        out.extend_from_slice(&piece.json);
    }
    out.push(b'}');
}
