//! Charts: measured once, drawn by each rendering in its own way.

use std::fmt::Write;

use serde::Serialize;

use crate::html::escaped;
use crate::moment::grouped;
use crate::text::Text;

/// Bars of a chart of bars; a chart over time has as many as its steps.
pub const MAX_BARS: usize = 12;
/// Characters of a bar's name.
const MAX_NAME: usize = 26;
/// Lines across a chart, the ground line aside.
const MOST_TICKS: u64 = 4;
/// Names under a chart over time.
const MOST_NAMES: usize = 8;

/// A drawing of numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// What it shows.
    pub caption: Text,
    /// The same for those who do not see it.
    pub description: Text,
    /// How it is drawn.
    pub shape: Shape,
    /// What is drawn.
    pub bars: Vec<Bar>,
    /// The lines across.
    pub ticks: Vec<Tick>,
}

/// How a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Upright, in the order of time.
    Columns,
    /// Lying, each with its name.
    Bars,
}

/// A bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// What it stands for.
    pub name: Text,
    /// Whether the name is written under a chart over time.
    pub named: bool,
    /// Its value in words.
    pub value: Text,
    /// Its length in thousandths of the whole.
    pub length: u64,
}

/// A line across.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tick {
    /// Its place in thousandths of the whole.
    pub at: u64,
    /// Its number.
    pub label: Text,
}

impl Chart {
    /// Numbers over time.
    pub(crate) fn columns(caption: &str, values: &[(String, u64)]) -> Self {
        let most = values.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
        let step = nice_step(most);
        let top = most.div_ceil(step) * step;
        let every = values.len().div_ceil(MOST_NAMES).max(1);
        let bar = |(place, (name, value)): (usize, &(String, u64))| Bar {
            name: name.as_str().into(),
            named: place.is_multiple_of(every) && place + every / 2 < values.len(),
            value: grouped(*value).into(),
            length: thousandths(*value, top),
        };
        let tick = |number: u64| Tick { at: thousandths(number * step, top), label: grouped(number * step).into() };
        let highest = values.iter().rev().max_by_key(|(_, value)| value);
        let highest = highest.map(|(name, value)| format!(" The highest is {} in {name}.", grouped(*value)));
        Self {
            caption: caption.into(),
            description: format!(
                "{caption}: {} columns, together {}.{}",
                values.len(),
                grouped(values.iter().map(|(_, value)| value).sum()),
                highest.unwrap_or_default()
            )
            .into(),
            shape: Shape::Columns,
            bars: values.iter().enumerate().map(bar).collect(),
            ticks: (1..=top / step).map(tick).collect(),
        }
    }

    /// Shares of a whole by name, in percent.
    pub(crate) fn bars(caption: &str, values: &[(String, u64, u64)]) -> Self {
        let rate = |part: u64, whole: u64| thousandths(part, whole.max(1)).min(1000);
        let top = values.iter().map(|(_, part, whole)| rate(*part, *whole)).max().unwrap_or(0).max(1);
        let bar = |(name, part, whole): &(String, u64, u64)| Bar {
            name: Text::prose(&cut(name)),
            named: true,
            value: format!("{} ({} of {})", crate::moment::percent(*part, *whole), grouped(*part), grouped(*whole))
                .into(),
            length: thousandths(rate(*part, *whole), top),
        };
        let told: Vec<String> = values
            .iter()
            .take(3)
            .map(|(name, part, whole)| format!("{} {}", cut(name), crate::moment::percent(*part, *whole)))
            .collect();
        Self {
            caption: caption.into(),
            description: format!("{caption}: {} bars; {}.", values.len().min(MAX_BARS), told.join(", ")).into(),
            shape: Shape::Bars,
            bars: values.iter().take(MAX_BARS).map(bar).collect(),
            ticks: Vec::new(),
        }
    }

    /// The chart as SVG.
    pub(crate) fn svg(&self) -> String {
        let (body, height) = match self.shape {
            Shape::Columns => (self.svg_columns(), 214),
            Shape::Bars => (self.svg_bars(), 26 * self.bars.len() + 4),
        };
        let description = escaped(self.description.as_str());
        format!("<svg viewBox=\"0 0 720 {height}\" role=\"img\" aria-label=\"{description}\">{body}</svg>")
    }

    fn svg_columns(&self) -> String {
        const LEFT: usize = 62;
        const WIDTH: usize = 650;
        const TOP: usize = 10;
        const HEIGHT: usize = 170;
        let mut out = String::new();
        let y = |thousandths: u64| TOP as f64 + HEIGHT as f64 * (1000 - thousandths.min(1000)) as f64 / 1000.0;
        for tick in &self.ticks {
            let (at, label) = (y(tick.at), escaped(tick.label.as_str()));
            draw(&mut out, format_args!("<path class=\"line\" d=\"M{LEFT} {at:.1}h{WIDTH}\"/>"));
            draw(&mut out, format_args!("<text class=\"end\" x=\"{}\" y=\"{:.1}\">{label}</text>", LEFT - 8, at + 4.0));
        }
        let room = WIDTH as f64 / self.bars.len().max(1) as f64;
        for (place, bar) in self.bars.iter().enumerate() {
            let (left, top, width) = (LEFT as f64 + room * place as f64, y(bar.length), (room * 0.76).min(40.0));
            let left = left + (room - width) / 2.0;
            let height = y(0) - top;
            let (name, value) = (escaped(bar.name.as_str()), escaped(bar.value.as_str()));
            draw(
                &mut out,
                format_args!(
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{name}: {value}</title></rect>"
                ),
            );
            if bar.named {
                let middle = left + width / 2.0;
                draw(&mut out, format_args!("<text class=\"middle\" x=\"{middle:.1}\" y=\"200\">{name}</text>"));
            }
        }
        draw(&mut out, format_args!("<path class=\"ground\" d=\"M{LEFT} {:.1}h{WIDTH}\"/>", y(0)));
        out
    }

    fn svg_bars(&self) -> String {
        let mut out = String::new();
        for (place, bar) in self.bars.iter().enumerate() {
            let (top, width) = (26 * place + 4, 340.0 * bar.length.min(1000) as f64 / 1000.0);
            let (name, value) = (escaped(bar.name.as_str()), escaped(bar.value.as_str()));
            draw(&mut out, format_args!("<text class=\"end\" x=\"192\" y=\"{}\">{name}</text>", top + 14));
            draw(&mut out, format_args!("<rect x=\"200\" y=\"{top}\" width=\"{:.1}\" height=\"18\"/>", width.max(1.0)));
            let right = 208.0 + width.max(1.0);
            draw(&mut out, format_args!("<text x=\"{right:.1}\" y=\"{}\">{value}</text>", top + 14));
        }
        out
    }
}

fn draw(out: &mut String, part: std::fmt::Arguments<'_>) {
    out.write_fmt(part).expect("texts take everything");
}

fn thousandths(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 1000 / u128::from(whole.max(1))).unwrap_or(u64::MAX)
}

/// The smallest of 1, 2, 5, 10, 20, 50, … that needs few lines up to the highest value.
fn nice_step(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for digit in [1, 2, 5] {
            let step = power.saturating_mul(digit);
            if most.div_ceil(step) <= MOST_TICKS {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn cut(name: &str) -> String {
    match name.chars().count() > MAX_NAME {
        true => name.chars().take(MAX_NAME - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}
