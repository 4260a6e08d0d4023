//! A network and a coupling as one.

use crate::Counts;
use neuroglot_data::Session;

/// Averages log-rates of a network with those of a coupling, in place of the network's: `η = min((1 − w) η_network +
/// w η_coupling, ln L)`, where L is the largest training count of the unit ([`most_log_rates`]). Where the coupling has no
/// prediction (NaN), the network's stays as it is.
///
/// Network and regression err differently, so their geometric mean removes a large share of both variances.
///
/// # Panics
/// If the log-rates, `[.., unit]`, are not equally many.
pub fn average_log_rates(weight: f64, coupling: &[f32], most_log_rates: &[f32], network: &mut [f32]) {
    assert_eq!(coupling.len(), network.len(), "as many log-rates of the coupling as of the network");
    let weight = weight as f32;
    let most = most_log_rates.iter().cycle();
    for ((network, coupling), most) in network.iter_mut().zip(coupling).zip(most) {
        if !coupling.is_nan() {
            *network = ((1.0 - weight) * *network + weight * coupling).min(*most);
        }
    }
}

/// Logarithm of the largest count of each unit in a bin of some trials, at least that of 1: `[unit]`.
pub fn most_log_rates(session: &Session, trials: &[usize]) -> Vec<f32> {
    Counts::of_trials(session, trials).largest().into_iter().map(|largest| largest.ln() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_bounded_and_the_network_speaks_where_the_coupling_is_silent() {
        let mut network = [1.0, 5.0, -2.0, 3.0];
        average_log_rates(0.25, &[3.0, f32::NAN, 2.0, f32::NAN], &[1.25, 2.0], &mut network);
        assert_eq!(network, [1.25, 5.0, -1.0, 3.0]);
    }
}
