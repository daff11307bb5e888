//! A page as one HTML file: no script, nothing loaded from elsewhere, and a policy that allows neither.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::page::{Block, Column, Look, Page, Section, Table};
use crate::text::Text;

const STYLE: &str = include_str!("page.css");

/// Writes a page.
pub(crate) fn html(page: &Page) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let title = text(&page.title);
    let mut out = String::new();
    put(
        &mut out,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}: {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
            text(&page.running)
        ),
    );
    put(
        &mut out,
        format_args!("<header><h1>{title}</h1>\n<p class=\"subtitle\">{}</p></header>\n", text(&page.subtitle)),
    );
    alarm(page, &mut out);
    figures(page, &mut out);
    missing(page, &mut out);
    contents(page, &mut out);
    page.sections.iter().for_each(|part| section(part, &mut out));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn alarm(page: &Page, out: &mut String) {
    if page.alarm.is_empty() {
        return;
    }
    out.push_str("<div class=\"alarm\" role=\"alert\">\n");
    page.alarm.iter().for_each(|item| put(out, format_args!("<p>{}</p>\n", text(item))));
    out.push_str("</div>\n");
}

fn figures(page: &Page, out: &mut String) {
    if page.figures.is_empty() {
        return;
    }
    out.push_str("<dl class=\"figures\">\n");
    for figure in &page.figures {
        put(out, format_args!("<div><dt>{}</dt><dd>{}</dd></div>\n", text(&figure.label), text(&figure.number)));
    }
    out.push_str("</dl>\n");
}

fn missing(page: &Page, out: &mut String) {
    if page.missing.is_empty() {
        return;
    }
    put(
        out,
        format_args!(
            "<section class=\"missing\" aria-labelledby=\"missing\">\n<h2 id=\"missing\">{}</h2>\n<ul>\n",
            text(&page.missing_title)
        ),
    );
    page.missing.iter().for_each(|item| put(out, format_args!("<li>{}</li>\n", text(item))));
    out.push_str("</ul>\n</section>\n");
}

fn contents(page: &Page, out: &mut String) {
    out.push_str("<nav aria-label=\"Contents\"><ol>\n");
    for part in &page.sections {
        put(out, format_args!("<li><a href=\"#{}\">{}</a></li>\n", part.id, text(&part.title)));
    }
    out.push_str("</ol></nav>\n");
}

fn section(part: &Section, out: &mut String) {
    put(out, format_args!("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n", part.id, text(&part.title)));
    if !part.clauses.is_empty() {
        let clauses: Vec<String> = part.clauses.iter().map(|clause| format!("<span>{}</span>", text(clause))).collect();
        put(out, format_args!("<p class=\"clauses\">Supports {}</p>\n", clauses.join(" ")));
    }
    part.blocks.iter().for_each(|one| block(one, out));
    out.push_str("</section>\n");
}

fn block(one: &Block, out: &mut String) {
    match one {
        Block::Heading { text: words } => put(out, format_args!("<h3>{}</h3>\n", text(words))),
        Block::Prose { text: words } => put(out, format_args!("<p>{}</p>\n", text(words))),
        Block::List { items, numbered } => {
            let tag = if *numbered { "ol" } else { "ul" };
            put(out, format_args!("<{tag}>\n"));
            items.iter().for_each(|item| put(out, format_args!("<li>{}</li>\n", text(item))));
            put(out, format_args!("</{tag}>\n"));
        }
        Block::Facts { rows } => {
            out.push_str("<dl class=\"facts\">\n");
            rows.iter().for_each(|fact| {
                let class = if fact.exact { " class=\"code\"" } else { "" };
                put(
                    out,
                    format_args!("<div><dt>{}</dt><dd{class}>{}</dd></div>\n", text(&fact.name), text(&fact.value)),
                );
            });
            out.push_str("</dl>\n");
        }
        Block::Table(one) => table(one, out),
        Block::Chart(chart) => {
            let caption = text(&chart.caption);
            put(out, format_args!("<figure><figcaption>{caption}</figcaption>{}</figure>\n", chart.svg()));
        }
        Block::Code { lines } => {
            let lines: Vec<String> = lines.iter().map(text).collect();
            put(out, format_args!("<pre tabindex=\"0\">{}</pre>\n", lines.join("\n")));
        }
    }
}

fn table(one: &Table, out: &mut String) {
    put(out, format_args!("<div class=\"table\"><table>\n<caption>{}</caption>\n<thead><tr>", text(&one.caption)));
    for column in &one.columns {
        put(out, format_args!("<th scope=\"col\"{}>{}</th>", class(column), text(&column.title)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &one.rows {
        out.push_str("<tr>");
        for (column, cell) in one.columns.iter().zip(row) {
            put(out, format_args!("<td{}>{}</td>", class(column), text(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
    if let Some(remainder) = &one.remainder {
        put(out, format_args!("<p class=\"remainder\">{}</p>\n", text(remainder)));
    }
}

fn class(column: &Column) -> &'static str {
    match column.look {
        Look::Words => "",
        Look::Number => " class=\"number\"",
        Look::Exact => " class=\"exact\"",
    }
}

fn text(text: &Text) -> String {
    escaped(text.as_str())
}

/// A text between tags or in an attribute between double quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn put(out: &mut String, part: std::fmt::Arguments<'_>) {
    out.write_fmt(part).expect("texts take everything");
}
