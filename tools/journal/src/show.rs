//! `tail` and `dump`: records as lines.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use engine::ids::Lane;
use engine::journal::{Merged, Reader, View};
use engine::time::Nanos;

use crate::context::Context;
use crate::filter::Filter;
use crate::output::{Out, Progress, Stop, input};
use crate::render;
use crate::when::When;

/// Where `tail` starts.
#[derive(Clone, Copy)]
pub(crate) enum From {
    Last(usize),
    Since(When),
}

pub(crate) fn dump(
    reader: &Reader,
    context: &Context,
    filter: &Filter,
    json: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    let mut merged = Merged::new(reader, Lane::ALL);
    while let Some(view) = merged.next() {
        if filter.takes(&view) {
            out.line(line(&view, context, json))?;
        }
    }
    end(&mut merged, out)
}

pub(crate) fn tail(
    reader: &Reader,
    context: Context,
    filter: &Filter,
    from: From,
    follow: bool,
    json: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    let mut merged = Merged::new(reader, Lane::ALL);
    let since = match from {
        From::Since(when) => when.resolve(newest(reader)),
        From::Last(_) => Nanos(0),
    };
    let mut last = VecDeque::new();
    let (mut progress, mut read) = (Progress::new("records read"), 0);
    while let Some(view) = merged.next() {
        read += 1;
        progress.at(read);
        if !filter.takes(&view) || view.entry.recv_ns < since {
            continue;
        }
        match from {
            From::Since(_) => out.line(line(&view, &context, json))?,
            From::Last(count) => {
                last.push_back((view.lane, view.seq, view.entry, view.body.to_vec()));
                if last.len() > count {
                    last.pop_front();
                }
            }
        }
    }
    drop(progress);
    for (lane, seq, entry, body) in last {
        out.line(line(&View { lane, seq, entry, body: &body }, &context, json))?;
    }
    if follow {
        follow_on(reader, &mut merged, context, filter, since, json, out)?;
    }
    end(&mut merged, out)
}

/// Until the writer is gone.
fn follow_on(
    reader: &Reader,
    merged: &mut Merged,
    mut context: Context,
    filter: &Filter,
    since: Nanos,
    json: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    loop {
        out.flush()?;
        // Asked before the last look: what the writer wrote before it went is still shown.
        let is_written = reader.is_being_written()?;
        if context.is_empty() {
            // The run may have begun only now.
            context = Context::read(reader).map_err(Stop::Input)?;
        }
        merged.look_again();
        let mut unflushed = 0;
        while let Some(view) = merged.next() {
            if filter.takes(&view) && view.entry.recv_ns >= since {
                out.line(line(&view, &context, json))?;
            }
            unflushed += 1;
            if unflushed == 4096 {
                out.flush()?;
                unflushed = 0;
            }
        }
        if let Some(problem) = merged.take_problem() {
            out.flush()?;
            return Err(input(problem));
        }
        if !is_written {
            return Ok(());
        }
        thread::sleep(PERIOD);
    }
}

fn line(view: &View<'_>, context: &Context, json: bool) -> String {
    if json { render::json(view, context).to_string() } else { render::text(view, context) }
}

/// Receive time of the newest record of a stage: the runner's are of the day of the run, which of a replay is not that
/// of its frames.
pub(crate) fn newest(reader: &Reader) -> Nanos {
    let mut newest = Nanos(0);
    for lane in reader.lanes().filter(|lane| *lane != Lane::Runner) {
        let mut cursor = reader.cursor(lane);
        // Damage is reported where the records are shown.
        while let Ok(Some(view)) = cursor.next() {
            newest = newest.max(view.entry.recv_ns);
        }
    }
    newest
}

/// Every problem to standard error; the last one ends the command.
fn end(merged: &mut Merged, out: &mut Out) -> Result<(), Stop> {
    out.flush()?;
    let mut result = Ok(());
    while let Some(problem) = merged.take_problem() {
        if let Err(Stop::Input(before)) = std::mem::replace(&mut result, Err(input(problem))) {
            eprintln!("journal: {before}");
        }
    }
    result
}

const PERIOD: Duration = Duration::from_millis(20);
