//! Rows whose columns line up.

use crate::console::{Paint, say};
use crate::failure::Failure;

/// How a cell is painted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    Normal,
    Faint,
    Bold,
    Good,
    Bad,
}

/// A table that is printed when all of it is known, so that every column is as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<(String, Tone)>>,
}

impl Table {
    /// A table with these column heads.
    pub(crate) fn new<'a>(heads: impl Iterator<Item = &'a str>) -> Self {
        Self { rows: vec![heads.map(|head| (head.to_owned(), Tone::Bold)).collect()] }
    }

    /// A line between rows, which may be longer than the first column.
    pub(crate) fn heading(&mut self, text: &str) {
        self.rows.push(vec![(text.to_owned(), Tone::Bold)]);
    }

    pub(crate) fn row(&mut self, cells: Vec<(String, Tone)>) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self, paint: Paint) -> Result<(), Failure> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (place, ((text, tone), width)) in row.iter().zip(&widths).enumerate() {
                if place > 0 {
                    line.push_str("  ");
                }
                // Nothing behind the last cell: a terminal of just that width would show an empty line.
                let width = if place + 1 == row.len() { 0 } else { *width };
                let padded = format!("{text:<width$}");
                line.push_str(&match tone {
                    Tone::Normal => padded,
                    Tone::Faint => paint.faint(&padded),
                    Tone::Bold => paint.bold(&padded),
                    Tone::Good => paint.green(&padded),
                    Tone::Bad => paint.red(&padded),
                });
            }
            say(line)?;
        }
        Ok(())
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter(|row| row.len() > 1).filter_map(|row| row.get(column));
        cells.map(|(text, _)| text.chars().count()).max().unwrap_or_default()
    }
}
