//! Writes the sample report and design document into a folder: `cargo run -p counterfoil-report --example sample -- DIR`.

#[path = "../tests/it/sample/mod.rs"]
mod sample;

use std::path::PathBuf;

use counterfoil_report::{document_html, document_pdf, report_html, report_pdf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("a folder, please")?);
    std::fs::create_dir_all(&folder)?;
    for (name, report) in [("report", sample::report()), ("empty", sample::empty())] {
        std::fs::write(folder.join(format!("{name}.html")), report_html(&report)?)?;
        std::fs::write(folder.join(format!("{name}.pdf")), report_pdf(&report)?)?;
    }
    let document = sample::document();
    std::fs::write(folder.join("document.html"), document_html(&document))?;
    std::fs::write(folder.join("document.pdf"), document_pdf(&document)?)?;
    Ok(())
}
