//! The domain of a `Data`, of spikes and of series: when they were recorded.

use crate::hdf5::{File, Group};
use crate::{Intervals, PrepareError, SpikeStream};

/// The domain of an object, if it has one.
///
/// # Errors
/// [`PrepareError::Field`] if it has not as many ends as starts.
pub(super) fn of(group: &Group<'_>) -> Result<Option<Intervals>, PrepareError> {
    let Some(domain) = group.group("domain")? else { return Ok(None) };
    let (Some(starts), Some(ends)) = (domain.dataset("start")?, domain.dataset("end")?) else {
        return Ok(None);
    };
    let (starts, ends) = (starts.numbers()?, ends.numbers()?);
    if starts.len() != ends.len() {
        let problem = format!("has {} starts and {} ends", starts.len(), ends.len());
        return Err(domain.file().field(
            domain.path(),
            problem,
            "choose something else, or leave the file out",
        ));
    }
    Ok(Some(Intervals::new(starts.into_iter().zip(ends).map(|(start, end)| [start, end]))))
}

/// Whether a domain is no more than the first and the last of some times, as `domain="auto"` makes it: then it does not
/// say that there could be none before and behind them.
pub(super) fn is_span_of(domain: &Intervals, first: Option<&f64>, last: Option<&f64>) -> bool {
    matches!((domain.stretches(), first, last), ([[start, end]], Some(first), Some(last)) if start == first && end == last)
}

/// When spikes were recorded, as far as the domains of the `Data` and of `spikes` say it.
pub(super) fn of_recording(file: &File, spikes: &[SpikeStream]) -> Result<Option<Intervals>, PrepareError> {
    let (first, last) = match spikes {
        [SpikeStream::Interleaved { times, .. }] => (times.first(), times.last()),
        _ => (None, None),
    };
    let of_spikes = match file.group("spikes")? {
        Some(group) => of(&group)?.filter(|domain| !is_span_of(domain, first, last)),
        None => None,
    };
    let of_data = of(&file.root()?)?;
    Ok(match (of_spikes, of_data) {
        (Some(of_spikes), Some(of_data)) => Some(of_spikes.intersection(&of_data)),
        (Some(of_spikes), None) => Some(of_spikes),
        // That of the whole may be made of trials and of behaviour: where it reaches beyond the spikes, these tell.
        (None, Some(of_data)) => {
            let stretches = of_data.stretches();
            let count = stretches.len();
            let opened = stretches.iter().enumerate().map(|(place, &[start, end])| {
                let before = place == 0 && first.is_some_and(|first| start <= *first);
                let behind = place + 1 == count && last.is_some_and(|last| end >= *last);
                [if before { f64::NEG_INFINITY } else { start }, if behind { f64::INFINITY } else { end }]
            });
            Some(Intervals::new(opened)).filter(|opened| *opened != Intervals::always())
        }
        (None, None) => None,
    })
}
