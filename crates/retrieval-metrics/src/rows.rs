//! Many rows of query, document and number, in little memory: their texts end to end.

use crate::meter::{Held, Meter, OverLimit};
use std::rc::Rc;

/// Rows in the order in which they came: 24 bytes each, and their ids; those of a query that come
/// together share its id. At most 4 GiB of ids.
#[derive(Debug)]
pub struct Rows {
    texts: String,
    rows: Vec<Row>,
    held: Held,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    query: Span,
    document: Span,
    number: f64,
}

/// A part of the texts.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Rows {
    /// None yet; what they hold is counted by `meter`.
    pub fn new(meter: &Rc<Meter>) -> Self {
        Self { texts: String::new(), rows: Vec::new(), held: Held::nothing(meter) }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Where that would be more than the meter's limit; the row is not added.
    pub fn push(&mut self, query: &str, document: &str, number: f64) -> Result<(), OverLimit> {
        let last = self.rows.last().map(|row| row.query);
        let known = last.filter(|last| self.text(*last) == query);
        let new = if known.is_some() { 0 } else { query.len() };
        self.held.add(size_of::<Row>() + new + document.len())?;
        let query = known.map_or_else(|| self.append(query), Ok)?;
        let document = self.append(document)?;
        self.rows.push(Row { query, document, number });
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Query, document and number of a row, by its number from 0; none beyond the last.
    pub fn get(&self, row: usize) -> Option<(&str, &str, f64)> {
        self.rows.get(row).map(|row| self.texts_of(row))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str, f64)> {
        self.rows.iter().map(|row| self.texts_of(row))
    }

    fn texts_of(&self, row: &Row) -> (&str, &str, f64) {
        (self.text(row.query), self.text(row.document), row.number)
    }

    fn text(&self, span: Span) -> &str {
        &self.texts[span.start as usize..span.end as usize]
    }

    fn append(&mut self, text: &str) -> Result<Span, OverLimit> {
        let limit = OverLimit { limit: u32::MAX as usize };
        let place = |at: usize| u32::try_from(at).map_err(|_| limit);
        let span =
            Span { start: place(self.texts.len())?, end: place(self.texts.len() + text.len())? };
        self.texts.push_str(text);
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [(&str, &str, f64); 5] = [
        ("질의", "a", 1.0),
        ("질의", "", 0.5),
        ("", "a", -0.0),
        ("q", "질의", 2.0),
        ("질의", "a", 1.0),
    ];

    #[test]
    fn keeps_rows_as_they_came() {
        let meter = Meter::new(1000);
        let mut rows = Rows::new(&meter);
        assert!(rows.is_empty());
        for (query, document, number) in ROWS {
            rows.push(query, document, number).unwrap();
        }
        assert_eq!(rows.iter().collect::<Vec<_>>(), ROWS);
        assert_eq!((rows.len(), rows.get(3), rows.get(5)), (5, Some(ROWS[3]), None));
        // The second row's query is the first one's.
        assert_eq!(meter.held(), 5 * 24 + (6 + 1) + 1 + (1 + 6) + (6 + 1));
    }

    #[test]
    fn stops_at_the_limit_and_gives_back_what_it_held() {
        let meter = Meter::new(1000);
        let mut rows = Rows::new(&meter);
        let pushed = (0..).take_while(|n| rows.push("query", &format!("{n:06}"), 0.0).is_ok());
        assert_eq!(pushed.count(), 33); // 30 bytes each, and the query's 5
        assert_eq!((rows.len(), meter.held()), (33, 995));
        // Another's rows count as well.
        assert_eq!(Rows::new(&meter).push("", "", 0.0), Err(OverLimit { limit: 1000 }));
        drop(rows);
        assert_eq!(meter.held(), 0);
        assert_eq!(
            Rows::new(&meter).push(&"q".repeat(1001), "", 0.0),
            Err(OverLimit { limit: 1000 })
        );
    }

    #[test]
    fn ten_million_rows_of_long_ids_take_less_than_a_gibibyte() {
        let meter = Meter::new(1 << 20); // a thousandth of both
        let mut rows = Rows::new(&meter);
        for n in 0..10_000 {
            let query = format!("00000000-0000-4000-8000-{:012}", n / 1000);
            rows.push(&query, &format!("00000000-0000-4000-8000-{n:012}"), 0.0).unwrap();
        }
    }
}
