//! How far assessors agree beyond chance.

use std::collections::BTreeMap;

/// How much a disagreement between two grades counts in [`cohen_kappa`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// Any two grades that differ count alike.
    #[default]
    Unweighted,
    /// By the distance of the grades.
    Linear,
    /// By the square of their distance.
    Quadratic,
}

/// Grades that no agreement can be computed of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// A subject was graded by more or fewer assessors than the first.
    #[error(
        "Fleiss' kappa needs the same number of grades a subject: \
         the first has {expected}, number {subject} has {found}"
    )]
    UnequalAssessors {
        /// Which subject, counted from 1.
        subject: usize,
        /// Grades of the first subject.
        expected: usize,
        /// Grades of this one.
        found: usize,
    },
}

/// Cohen's kappa of two assessors (Cohen 1960; weighted: Cohen 1968), 1 where they agree fully,
/// 0 where as by chance, −1 at the least.
///
/// `pairs` holds both grades of each (query, document) that both judged. Weights take the
/// distance of the grades themselves: a grade that nobody gave changes nothing. `None` where it
/// is undefined: no pairs, or both gave one and the same grade throughout.
pub fn cohen_kappa(pairs: &[(i32, i32)], weights: Weights) -> Option<f64> {
    let mut counts = BTreeMap::<i32, (f64, f64)>::new();
    for (a, b) in pairs {
        counts.entry(*a).or_default().0 += 1.0;
        counts.entry(*b).or_default().1 += 1.0;
    }
    let observed = pairs.iter().fold(0.0, |sum, (a, b)| sum + weights.of(*a, *b));
    let observed = observed * pairs.len() as f64;
    let expected = weights.by_chance(&counts);
    if expected == 0.0 { None } else { Some(1.0 - observed / expected) }
}

impl Weights {
    fn of(self, a: i32, b: i32) -> f64 {
        let distance = f64::from(a.abs_diff(b));
        match self {
            Self::Unweighted => distance.min(1.0),
            Self::Linear => distance,
            Self::Quadratic => distance * distance,
        }
    }

    /// The sum over all pairs of a grade of one assessor and a grade of the other, from how often
    /// each gave a grade; in closed form, since grades may be many.
    fn by_chance(self, counts: &BTreeMap<i32, (f64, f64)>) -> f64 {
        let sum = |of: fn(f64, f64, f64) -> f64| {
            // Counted from the least grade, so that small numbers stay exact.
            let least = counts.keys().next().map_or(0.0, |grade| f64::from(*grade));
            counts.iter().map(|(grade, (a, b))| of(f64::from(*grade) - least, *a, *b)).sum::<f64>()
        };
        let (all_a, all_b) = (sum(|_, a, _| a), sum(|_, _, b| b));
        match self {
            Self::Unweighted => all_a * all_b - sum(|_, a, b| a * b),
            Self::Quadratic => {
                let (mean_a, mean_b) = (sum(|grade, a, _| grade * a), sum(|grade, _, b| grade * b));
                let squares_a = sum(|grade, a, _| grade * grade * a);
                let squares_b = sum(|grade, _, b| grade * grade * b);
                all_b * squares_a - 2.0 * mean_a * mean_b + all_a * squares_b
            }
            Self::Linear => {
                // Each gap between neighbouring grades counts for the pairs on its two sides.
                let (mut below_a, mut below_b, mut total) = (0.0, 0.0, 0.0);
                let mut grades = counts.iter().peekable();
                while let Some((grade, (a, b))) = grades.next() {
                    below_a += a;
                    below_b += b;
                    let gap =
                        grades.peek().map_or(0.0, |(next, _)| f64::from(next.abs_diff(*grade)));
                    total += gap * (below_a * (all_b - below_b) + below_b * (all_a - below_a));
                }
                total
            }
        }
    }
}

/// Fleiss' kappa of several assessors (Fleiss 1971), at most 1.
///
/// Each subject is a (query, document) with its grades, by whomever they were given. All subjects
/// need the same number of grades. `None` where it is undefined: no subject, fewer than two
/// grades a subject, or one grade throughout.
pub fn fleiss_kappa<S: AsRef<[i32]>>(subjects: &[S]) -> Result<Option<f64>, AgreementError> {
    let Some(expected) = subjects.first().map(|grades| grades.as_ref().len()) else {
        return Ok(None);
    };
    let mut totals = BTreeMap::<i32, f64>::new();
    let mut agreeing = 0.0; // ordered pairs of assessors, over all subjects
    for (index, grades) in subjects.iter().map(AsRef::as_ref).enumerate() {
        if grades.len() != expected {
            let (subject, found) = (index + 1, grades.len());
            return Err(AgreementError::UnequalAssessors { subject, expected, found });
        }
        let mut counts = BTreeMap::<i32, f64>::new();
        for grade in grades {
            *counts.entry(*grade).or_default() += 1.0;
            *totals.entry(*grade).or_default() += 1.0;
        }
        agreeing += counts.values().map(|count| count * (count - 1.0)).sum::<f64>();
    }
    if expected < 2 || totals.len() < 2 {
        return Ok(None);
    }
    let (subjects, assessors) = (subjects.len() as f64, expected as f64);
    let observed = agreeing / (subjects * assessors * (assessors - 1.0));
    let grades = subjects * assessors;
    let by_chance: f64 = totals.values().map(|count| (count / grades).powi(2)).sum();
    Ok(Some((observed - by_chance) / (1.0 - by_chance)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(ours: Option<f64>, reference: f64) {
        assert!((ours.unwrap() - reference).abs() < 1e-12, "{ours:?} is not {reference}");
    }

    #[test]
    fn cohen_on_the_textbook_table() {
        let table = [((1, 1), 20), ((1, 0), 5), ((0, 1), 10), ((0, 0), 15)];
        let pairs: Vec<_> =
            table.iter().flat_map(|(pair, times)| std::iter::repeat_n(*pair, *times)).collect();
        near(cohen_kappa(&pairs, Weights::Unweighted), 0.4);
        near(cohen_kappa(&pairs, Weights::Linear), 0.4);
    }

    #[test]
    fn cohen_is_none_where_chance_cannot_disagree() {
        assert_eq!(cohen_kappa(&[], Weights::Linear), None);
        assert_eq!(cohen_kappa(&[(2, 2), (2, 2)], Weights::Unweighted), None);
        assert_eq!(cohen_kappa(&[(1, 2), (1, 2)], Weights::Unweighted), Some(0.0));
        assert_eq!(cohen_kappa(&[(0, 0), (3, 3)], Weights::Quadratic), Some(1.0));
        assert_eq!(cohen_kappa(&[(0, 1), (1, 0)], Weights::Linear), Some(-1.0));
        let extremes = [(i32::MIN, i32::MAX), (i32::MAX, i32::MIN)];
        assert_eq!(cohen_kappa(&extremes, Weights::Quadratic), Some(-1.0));
    }

    #[test]
    fn fleiss_on_the_textbook_table() {
        // Fleiss' kappa, Wikipedia: 10 subjects, 14 assessors, 5 grades; 0.20993
        let table = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ];
        let subjects: Vec<Vec<i32>> = table
            .iter()
            .map(|counts| {
                (0..).zip(counts).flat_map(|(grade, n)| std::iter::repeat_n(grade, *n)).collect()
            })
            .collect();
        assert!((fleiss_kappa(&subjects).unwrap().unwrap() - 0.20993).abs() < 1e-5);
    }

    #[test]
    fn fleiss_needs_as_many_grades_each_and_two_grades_at_least() {
        let error = fleiss_kappa(&[vec![1, 1], vec![1]]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Fleiss' kappa needs the same number of grades a subject: \
             the first has 2, number 2 has 1"
        );
        assert_eq!(fleiss_kappa::<Vec<i32>>(&[]), Ok(None));
        assert_eq!(fleiss_kappa(&[[1], [2]]), Ok(None));
        assert_eq!(fleiss_kappa(&[[1, 1], [1, 1]]), Ok(None));
        assert_eq!(fleiss_kappa(&[[1, 1], [2, 2]]), Ok(Some(1.0)));
    }
}
