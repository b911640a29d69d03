//! A run that fails is tried again in halves, so that a poisonous row fails alone.

use inference::Outcomes;
use protocol::{Fault, FaultCode};

/// Runs `rows` by `attempt`; what fails as a whole is told to `failed` and halved, down to the single row.
///
/// Only what a row can be the reason of is tried again: a run that was broken off, or a file that is missing, would
/// fail in halves as well.
pub fn run<R>(
    rows: &[&R],
    attempt: &mut dyn FnMut(&[&R]) -> Result<Outcomes, Fault>,
    failed: &mut dyn FnMut(usize, &Fault),
) -> Outcomes {
    match attempt(rows) {
        Ok(outcomes) if outcomes.len() == rows.len() => outcomes,
        Ok(outcomes) => vec![Err(miscounted(outcomes.len(), rows.len())); rows.len()],
        Err(fault) if rows.len() <= 1 || !can_be_a_rows(fault.code) => {
            vec![Err(fault); rows.len()]
        }
        Err(fault) => {
            failed(rows.len(), &fault);
            let (left, right) = rows.split_at(rows.len() / 2);
            let mut outcomes = run(left, attempt, failed);
            outcomes.extend(run(right, attempt, failed));
            outcomes
        }
    }
}

/// A row that a model stumbles over, or that is too large beside others.
fn can_be_a_rows(code: FaultCode) -> bool {
    matches!(code, FaultCode::Internal | FaultCode::InsufficientResources)
}

fn miscounted(outcomes: usize, rows: usize) -> Fault {
    Fault::new(FaultCode::Internal, "the model answered another number of rows than it was given")
        .detail(format!("It gave {outcomes} outcomes for {rows} rows."))
        .hint("This is a bug; please report it.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference::Output;

    fn fault(code: FaultCode) -> Fault {
        Fault::new(code, "poison")
    }

    /// Squares of the rows; a negative one spoils its run.
    fn square(rows: &[&i32]) -> Result<Outcomes, Fault> {
        if rows.iter().any(|row| **row < 0) {
            return Err(fault(FaultCode::Internal));
        }
        Ok(rows.iter().map(|row| Ok(Output::Score((**row * **row) as f32))).collect())
    }

    fn halved(rows: &[i32]) -> (Outcomes, Vec<usize>) {
        let mut sizes = Vec::new();
        let rows: Vec<&i32> = rows.iter().collect();
        let outcomes = run(&rows, &mut square, &mut |size, _| sizes.push(size));
        (outcomes, sizes)
    }

    #[test]
    fn a_run_that_succeeds_is_not_repeated() {
        let (outcomes, sizes) = halved(&[1, 2, 3]);
        assert_eq!(outcomes, [1.0, 4.0, 9.0].map(|score| Ok(Output::Score(score))));
        assert!(sizes.is_empty());
    }

    #[test]
    fn poison_fails_alone_wherever_it_is() {
        for place in 0..7 {
            let mut rows = [1, 2, 3, 4, 5, 6, 7];
            rows[place] = -1;
            let (outcomes, sizes) = halved(&rows);
            for (row, outcome) in outcomes.iter().enumerate() {
                match row == place {
                    true => assert_eq!(*outcome, Err(fault(FaultCode::Internal))),
                    false => assert!(outcome.is_ok(), "{row} of {rows:?}"),
                }
            }
            assert!(sizes.len() <= 3, "{sizes:?}");
        }
    }

    #[test]
    fn what_was_broken_off_is_not_tried_again() {
        let mut attempts = 0;
        let mut attempt = |_: &[&i32]| {
            attempts += 1;
            Err(fault(FaultCode::Canceled))
        };
        let outcomes = run(&[&1, &2], &mut attempt, &mut |_, _| unreachable!());
        assert_eq!((outcomes.len(), attempts), (2, 1));
    }

    #[test]
    fn a_wrong_number_of_outcomes_is_a_fault_of_each_row() {
        let outcomes = run(&[&1, &2], &mut |_| Ok(Vec::new()), &mut |_, _| unreachable!());
        assert!(outcomes.iter().all(Result::is_err) && outcomes.len() == 2);
    }
}
