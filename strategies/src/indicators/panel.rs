//! Several columns at once: each indicator is computed once, however many of its outputs are asked for.

use super::bar::{Bar, Columns};
use super::contract::Study;
use super::name::{NameError, Request};
use super::value::Value;

/// Rows that every indicator takes before the next one takes them: what its answers need of the memory near the core.
const ROWS: usize = 512;

/// The columns asked for, by name.
pub struct Panel {
    studies: Vec<Box<dyn Study>>,
    output_counts: Vec<usize>,
    /// Per column: which study, which output.
    columns: Vec<(usize, usize)>,
}

impl Panel {
    /// Builds what the names need. Err: the first name that is none.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NameError> {
        let mut requests: Vec<Request> = Vec::new();
        let mut columns = Vec::new();
        for name in names {
            let request = Request::parse(name)?;
            let study = requests.iter().position(|known| known.shares_study_with(&request));
            columns.push((study.unwrap_or(requests.len()), request.output()));
            if study.is_none() {
                requests.push(request);
            }
        }
        Ok(Self {
            studies: requests.iter().map(Request::build).collect(),
            output_counts: requests.iter().map(|request| request.entry().outputs.len()).collect(),
            columns,
        })
    }

    /// Columns asked for.
    #[must_use]
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// Distinct indicators computed.
    #[must_use]
    pub fn study_count(&self) -> usize {
        self.studies.len()
    }

    /// Takes one closed candle and writes the columns in the order asked. Panics when `out` is not
    /// [`Panel::column_count`] long.
    pub fn update(&mut self, bar: &Bar, out: &mut [Value]) {
        for study in &mut self.studies {
            study.update(bar);
        }
        assert_eq!(out.len(), self.columns.len(), "one cell per column");
        for (cell, (study, output)) in out.iter_mut().zip(&self.columns) {
            *cell = self.studies[*study].values()[*output];
        }
    }

    /// What `update` would write for a candle that still forms.
    pub fn peek(&mut self, bar: &Bar, out: &mut [Value]) {
        assert_eq!(out.len(), self.columns.len(), "one cell per column");
        for (study, live) in self.studies.iter_mut().enumerate() {
            let values = live.peek(bar);
            for (cell, (of, output)) in out.iter_mut().zip(&self.columns) {
                if *of == study {
                    *cell = values[*output];
                }
            }
        }
    }

    /// Takes every row and answers the columns in the order asked.
    pub fn batch(&mut self, columns: Columns<'_>) -> Vec<Vec<Value>> {
        let mut answers: Vec<Vec<Value>> =
            self.columns.iter().map(|_| Vec::with_capacity(columns.len())).collect();
        self.batch_onto(columns, &mut answers);
        answers
    }

    /// Takes every row and appends the columns, in the order asked, to `answers`: whoever computes often keeps their
    /// memory, of which taking a page for the first time costs more than filling it. Panics when there are not
    /// [`Panel::column_count`] of them.
    pub fn batch_onto(&mut self, columns: Columns<'_>, answers: &mut [Vec<Value>]) {
        assert_eq!(answers.len(), self.columns.len(), "one answer per column");
        // Some rows are computed near the core and then appended: memory is written once, and only for what was asked.
        let outputs_max = self.output_counts.iter().copied().max().unwrap_or(0);
        let mut rows = vec![[Value::UNDEFINED; ROWS]; outputs_max];
        let mut outputs: Vec<&mut [Value]> = rows.iter_mut().map(<[Value; ROWS]>::as_mut_slice).collect();
        let mut targets: Vec<(usize, usize, usize)> =
            (0..).zip(&self.columns).map(|(answer, (study, output))| (*study, *output, answer)).collect();
        targets.sort_unstable();
        for from in (0..columns.len()).step_by(ROWS) {
            let block = columns.rows(from..columns.len().min(from + ROWS));
            let mut targets = targets.iter().peekable();
            for (index, study) in self.studies.iter_mut().enumerate() {
                study.batch(block, &mut outputs[..self.output_counts[index]]);
                while let Some((_, output, answer)) = targets.next_if(|(of, ..)| *of == index) {
                    answers[*answer].extend_from_slice(&outputs[*output][..block.len()]);
                }
            }
        }
    }

    /// Candles until every column is defined; `None` when no number can say.
    #[must_use]
    pub fn warm_up(&self) -> Option<usize> {
        self.studies.iter().map(|study| study.warm_up()).try_fold(0, |longest, own| Some(longest.max(own?)))
    }

    /// Has every indicator been fully defined?
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.studies.iter().all(|study| study.is_ready())
    }

    /// Back to the state of construction.
    pub fn reset(&mut self) {
        for study in &mut self.studies {
            study.reset();
        }
    }
}
