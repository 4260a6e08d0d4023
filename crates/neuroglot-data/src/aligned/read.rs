//! Reading a session from its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use super::layout;
use super::schema::{
    BIN_SIZE, CHANNELS, DEPTHS, EID, GOOD, RATES_GIVEN_LATENTS, RATES_GIVEN_PAST, REGIONS, SHAPE, TRIAL_ID,
    TRUE_RATES, UUIDS,
};
use super::shard::{Shard, read_shard};
use super::trial_columns::{RaggedValues, TrialColumn, left_out};
use crate::{
    Behaviour, DataError, LabelledValues, LeftOutColumn, RowProblem, Session, SessionParts, SpikeCounts,
    Split, TrueRates, Unit,
};

impl Session {
    /// Reads a session from a folder `<eid>_aligned`: Parquet files `data/{train,val,test}-*.parquet` of the Hugging
    /// Face hub, such files in the folder itself, or the Arrow files that `DatasetDict.save_to_disk` writes.
    ///
    /// Trials come in the order train, validation, test, and within a split as in its files. A column that is not part
    /// of the schema becomes a behaviour if it holds a number, a truth value or one of up to 64 texts per trial, or a
    /// list of 1 or bins numbers (or none: then they are missing); [`Session::left_out`] names the others. Missing uuids
    /// become `<eid>-<number>`, missing regions `void`.
    ///
    /// # Errors
    /// [`DataError`] names the file, the row and the column, and the cure: a folder without session, a missing split,
    /// file or column, a wrong type, counts that are no CSR matrix of the session's shape, rows that disagree, a
    /// corrupt file, or a session without a spike.
    pub fn read(folder: impl AsRef<Path>) -> Result<Session, DataError> {
        let folder = folder.as_ref();
        let files: Vec<_> = layout::find(folder)?
            .into_iter()
            .flat_map(|split| split.files.into_iter().map(move |file| (split.split, file)))
            .collect();
        let shards: Vec<_> = files.par_iter().map(|(split, file)| Ok((*split, read_shard(file)?))).collect();
        // The first error in the order of the files, whichever thread was first.
        let shards: Vec<(Split, Option<Shard>)> = shards.into_iter().collect::<Result<_, DataError>>()?;
        let shards: Vec<(Split, Shard)> =
            shards.into_iter().filter_map(|(split, shard)| Some((split, shard?))).collect();
        if shards.is_empty() {
            return Err(DataError::NoTrials { folder: folder.to_owned() });
        }
        join(shards)
    }
}

/// Makes one session of the files of one session.
fn join(mut shards: Vec<(Split, Shard)>) -> Result<Session, DataError> {
    for (_, shard) in &shards[1..] {
        check_agrees(shard, &shards[0].1)?;
    }
    let Behaviours { behaviours, texts, left_out: mut columns_left_out } = join_behaviours(&shards)?;
    let trial_ids = match join_trial_ids(&mut shards) {
        Ok(ids) => ids,
        Err(why) => {
            columns_left_out.push(left_out(TRIAL_ID, why));
            None
        }
    };
    let splits = shards.iter().flat_map(|(split, shard)| vec![*split; shard.counts.trials()]).collect();
    let true_rates = join_true_rates(&mut shards)?;
    let starts: Option<Vec<Vec<f64>>> =
        shards.iter_mut().map(|(_, shard)| shard.window_starts.take()).collect();
    let mut shards = shards.into_iter().map(|(_, shard)| shard);
    let Some(Shard { eid, subject, lab, bin_seconds, units, counts, .. }) = shards.next() else {
        unreachable!("the caller gives one file or more");
    };
    let (bins, number_of_units) = (counts.bins(), counts.units());
    let counts: Vec<SpikeCounts> = std::iter::once(counts).chain(shards.map(|shard| shard.counts)).collect();
    let counts = SpikeCounts::concatenate(bins, number_of_units, &counts);
    let mut session = Session::new(SessionParts {
        eid,
        subject,
        lab,
        bin_seconds,
        units,
        splits,
        counts,
        behaviours,
        true_rates,
    })?
    .with_left_out(columns_left_out);
    for (name, texts) in texts {
        session = session.with_texts(&name, texts)?;
    }
    if let Some(starts) = starts {
        session = session.with_window_starts(starts.concat())?;
    }
    match trial_ids {
        Some(ids) => session.with_trial_ids(ids),
        None => Ok(session),
    }
}

fn check_agrees(shard: &Shard, first: &Shard) -> Result<(), DataError> {
    let error = |column: &str, problem| {
        Err(DataError::Row { file: shard.file.clone(), row: 0, column: column.to_owned(), problem })
    };
    let other = |found: String, expected: String| RowProblem::OtherValue { found, expected };
    if shard.eid != first.eid {
        return error(EID, other(shard.eid.clone(), first.eid.clone()));
    }
    if shard.bin_seconds != first.bin_seconds {
        return error(BIN_SIZE, other(shard.bin_seconds.to_string(), first.bin_seconds.to_string()));
    }
    let shape = |shard: &Shard| [shard.counts.bins() as u64, shard.counts.units() as u64];
    if shape(shard) != shape(first) {
        return error(SHAPE, RowProblem::ShapeDiffers { found: shape(shard), expected: shape(first) });
    }
    let differs = |column: &str, differs: fn(&Unit, &Unit) -> bool| {
        if shard.units.iter().zip(&first.units).any(|(a, b)| differs(a, b)) {
            error(column, RowProblem::OtherUnits)
        } else {
            Ok(())
        }
    };
    // A file may say nothing of what others say.
    fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        a.zip(b).is_some_and(|(a, b)| a != b)
    }
    differs(UUIDS, |a, b| a.uuid != b.uuid)?;
    differs(REGIONS, |a, b| a.region != b.region)?;
    differs(DEPTHS, |a, b| differ(a.depth, b.depth))?;
    differs(CHANNELS, |a, b| differ(a.channel, b.channel))?;
    differs(GOOD, |a, b| differ(a.good, b.good))?;
    Ok(())
}

/// What the recording calls its trials, if it calls each of them something else.
///
/// # Errors
/// A few words that say why names that are there cannot be taken.
fn join_trial_ids(shards: &mut [(Split, Shard)]) -> Result<Option<Vec<String>>, String> {
    if shards.iter().all(|(_, shard)| shard.trial_ids.is_none()) {
        return Ok(None);
    }
    let mut all = Vec::new();
    for (_, shard) in shards {
        all.extend(shard.trial_ids.take().ok_or("some files lack it")?);
    }
    let all: Option<Vec<String>> = all.into_iter().collect();
    let all = all.ok_or("some trials have neither a text nor a whole number there")?;
    let mut seen = BTreeSet::new();
    match all.iter().find(|id| !seen.insert(id.as_str())) {
        Some(twice) => Err(format!("two trials are called {twice}")),
        None => Ok(Some(all)),
    }
}

/// The rates of simulated sessions; sessions of older versions have the first column alone.
fn join_true_rates(shards: &mut [(Split, Shard)]) -> Result<Option<TrueRates>, DataError> {
    let Some(rates) = join_rates(shards, TRUE_RATES)? else { return Ok(None) };
    Ok(Some(TrueRates {
        rates,
        given_latents: join_rates(shards, RATES_GIVEN_LATENTS)?,
        given_past: join_rates(shards, RATES_GIVEN_PAST)?,
    }))
}

fn join_rates(shards: &mut [(Split, Shard)], column: &str) -> Result<Option<Vec<f32>>, DataError> {
    if shards.iter().all(|(_, shard)| !shard.rates.contains_key(column)) {
        return Ok(None);
    }
    let mut all = Vec::new();
    for (_, shard) in shards {
        let rates = shard.rates.remove(column).ok_or_else(|| DataError::MissingColumn {
            file: shard.file.clone(),
            column: column.to_owned(),
        })?;
        all.extend(rates);
    }
    Ok(Some(all))
}

/// What was made of the columns of all files.
#[derive(Default)]
struct Behaviours {
    behaviours: BTreeMap<String, Behaviour>,
    /// What values of behaviours that were text stand for.
    texts: BTreeMap<String, Vec<String>>,
    left_out: Vec<LeftOutColumn>,
}

fn join_behaviours(shards: &[(Split, Shard)]) -> Result<Behaviours, DataError> {
    let names: BTreeSet<&String> = shards.iter().flat_map(|(_, shard)| shard.columns.keys()).collect();
    let mut found = Behaviours::default();
    for name in names {
        let columns = || shards.iter().filter_map(|(_, shard)| shard.columns.get(name));
        let is_text = columns().any(|column| matches!(column, TrialColumn::Texts(_)));
        let is_numbers = columns().any(|column| matches!(column, TrialColumn::Numbers(_)));
        let refused = columns().find_map(|column| match column {
            TrialColumn::LeftOut(why) => Some(why.clone()),
            _ => None,
        });
        let problem = if refused.is_some() {
            refused
        } else if is_text && is_numbers {
            Some("numbers in some files, texts in others".to_owned())
        } else if is_text {
            match LabelledValues::of(shards.iter().flat_map(|(_, shard)| shard.texts(name))) {
                Ok(LabelledValues { values, texts }) => {
                    found.behaviours.insert(name.clone(), Behaviour::PerTrial(values));
                    found.texts.insert(name.clone(), texts);
                    None
                }
                Err(why) => Some(why),
            }
        } else {
            match join_numbers(name, shards)? {
                Ok(behaviour) => {
                    found.behaviours.insert(name.clone(), behaviour);
                    None
                }
                Err(why) => Some(why),
            }
        };
        found.left_out.extend(problem.map(|why| left_out(name, why)));
    }
    Ok(found)
}

/// One behaviour of numbers over all files, or why the column is none.
///
/// The first list that is not empty decides. One value there and several elsewhere is a list of events, which some
/// copies carry; a value per bin there and another number elsewhere is a damaged trace.
fn join_numbers(name: &str, shards: &[(Split, Shard)]) -> Result<Result<Behaviour, String>, DataError> {
    let bins = shards[0].1.counts.bins();
    let mut lengths =
        shards.iter().filter_map(|(_, shard)| shard.numbers(name)).flat_map(|numbers| &numbers.lengths);
    let Some(&width) = lengths.find(|length| **length > 0) else {
        return Ok(Err("empty in all trials".to_owned()));
    };
    let other_lengths = || Ok(Err(format!("lists of other lengths than 1 and the {bins} bins")));
    if width != 1 && width != bins {
        return other_lengths();
    }
    let mut values = Vec::new();
    for (_, shard) in shards {
        let Some(RaggedValues { lengths, values: some }) = shard.numbers(name) else {
            values.extend(std::iter::repeat_n(f64::NAN, shard.counts.trials() * width));
            continue;
        };
        let mut rest = &some[..];
        for (row, &length) in lengths.iter().enumerate() {
            let (these, after) = rest.split_at(length);
            rest = after;
            match length {
                0 => values.extend(std::iter::repeat_n(f64::NAN, width)),
                length if length == width => values.extend_from_slice(these),
                _ if width == 1 => return other_lengths(),
                found => {
                    return Err(DataError::Row {
                        file: shard.file.clone(),
                        row,
                        column: name.to_owned(),
                        problem: RowProblem::Length {
                            found,
                            expected: format!("{bins}, one per bin, as in other rows"),
                        },
                    });
                }
            }
        }
    }
    Ok(Ok(if width == 1 { Behaviour::PerTrial(values) } else { Behaviour::PerBin(values) }))
}
