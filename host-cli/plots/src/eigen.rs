//! The largest eigenvalues of a symmetric matrix, by subspace iteration.
//!
//! A block of vectors is multiplied by the matrix again and again: each time, the part of it that lies along the eigenvector
//! of eigenvalue λ grows by |λ|, so the block turns into the span of the eigenvectors with the largest ones. After every
//! product the block is made orthonormal and rotated to the eigenvectors of the matrix restricted to it (Rayleigh-Ritz),
//! whose own small eigenproblem is solved by Jacobi's rotations. The error falls by λ(block + 1) / λ(wanted) a step, which is
//! why the block is wider than what is wanted.
//!
//! Only IEEE 754's basic operations and square roots, in a fixed order: the result is the same on every machine.
//!
//! # Source
//!
//! Golub and Van Loan, "Matrix Computations", 4th edition, Johns Hopkins 2013, sections 8.2.4 (orthogonal iteration with Ritz
//! acceleration) and 8.5.2 (Jacobi).

/// Vectors that are iterated in addition to those wanted.
const SPARE: usize = 7;

/// Steps after which the best approximation is taken as it is: eigenvalues that lie this close together are not told apart.
const MAX_STEPS: usize = 300;

/// The residual |Av - λv| at which an eigenvector is taken, relative to the largest eigenvalue.
const TOLERANCE: f64 = 1e-12;

/// Eigenvalues up to this part of the largest are 0 but for rounding errors.
const ROUNDING: f64 = 1e-13;

/// Returns the `count` largest eigenvalues of a positive semidefinite matrix, descending, each with its unit eigenvector.
///
/// `matrix` is `[n][n]`. Where it has a lower rank than `count`, the rest are 0 with vectors of zeros.
pub(crate) fn largest(matrix: &[f64], n: usize, count: usize) -> Vec<(f64, Vec<f64>)> {
    let width = (count + SPARE).min(n);
    let mut random = picomlp_fixtures::values(1);
    let mut block: Vec<Vec<f64>> = (0..width)
        .map(|_| (0..n).map(|_| random.next().map_or(0.0, f64::from)).collect())
        .collect();
    let mut values = vec![0.0; width];
    for _ in 0..MAX_STEPS {
        orthonormalize(&mut block);
        let mut products = multiply(matrix, &block);
        let mut small: Vec<Vec<f64>> = block
            .iter()
            .map(|v| products.iter().map(|product| dot(v, product)).collect())
            .collect();
        let rotation = jacobi(&mut small);
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|a, b| small[*b][*b].total_cmp(&small[*a][*a]).then(a.cmp(b)));
        let rotated = |vectors: &[Vec<f64>]| -> Vec<Vec<f64>> {
            order.iter().map(|&to| combine(vectors, rotation.iter().map(|row| row[to]))).collect()
        };
        (block, products) = (rotated(&block), rotated(&products));
        values = order.iter().map(|&at| small[at][at].max(0.0)).collect();
        let residual = |at: usize| {
            let terms = products[at].iter().zip(&block[at]);
            terms.map(|(product, v)| (product - values[at] * v).powi(2)).sum::<f64>().sqrt()
        };
        if (0..count.min(width)).all(|at| residual(at) <= TOLERANCE * values[0]) {
            break;
        }
        block = products;
    }
    // The block may be a product, which is longer than 1.
    orthonormalize(&mut block);
    let least = ROUNDING * values.first().copied().unwrap_or(0.0);
    let mut pairs: Vec<_> = values.into_iter().zip(block).take(count).collect();
    pairs.retain(|(value, _)| *value > least);
    pairs.resize(count, (0.0, vec![0.0; n]));
    pairs
}

/// Products with each vector; row by row, since the matrix is symmetric and larger than the caches.
fn multiply(matrix: &[f64], block: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = block.first().map_or(0, Vec::len);
    let mut products = vec![vec![0.0; n]; block.len()];
    for (at, row) in matrix.chunks_exact(n.max(1)).enumerate() {
        for (product, v) in products.iter_mut().zip(block) {
            product.iter_mut().zip(row).for_each(|(sum, value)| *sum += v[at] * value);
        }
    }
    products
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn combine(vectors: &[Vec<f64>], factors: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = vec![0.0; vectors[0].len()];
    for (v, factor) in vectors.iter().zip(factors) {
        sum.iter_mut().zip(v).for_each(|(sum, value)| *sum += factor * value);
    }
    sum
}

/// Gram-Schmidt, twice for each vector ("twice is enough"); one that depends on those before becomes zero.
fn orthonormalize(block: &mut [Vec<f64>]) {
    for at in 0..block.len() {
        let (before, rest) = block.split_at_mut(at);
        let v = &mut rest[0];
        let length = dot(v, v).sqrt();
        for _ in 0..2 {
            for other in &*before {
                let factor = dot(other, v);
                v.iter_mut().zip(other).for_each(|(v, other)| *v -= factor * other);
            }
        }
        let left = dot(v, v).sqrt();
        let scale = if left > 1e-12 * length { 1.0 / left } else { 0.0 };
        v.iter_mut().for_each(|v| *v *= scale);
    }
}

/// Makes a symmetric matrix diagonal by cyclic rotations; returns their product, whose columns are its eigenvectors.
fn jacobi(matrix: &mut [Vec<f64>]) -> Vec<Vec<f64>> {
    let n = matrix.len();
    let mut rotation: Vec<Vec<f64>> =
        (0..n).map(|row| (0..n).map(|col| f64::from(u8::from(row == col))).collect()).collect();
    // Quadratic convergence: five sweeps do for doubles, more change nothing.
    for _ in 0..12 {
        for p in 0..n {
            for q in p + 1..n {
                if matrix[p][q] == 0.0 {
                    continue;
                }
                // The rotation of axes p and q that takes this element to 0.
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                let turn = |rows: &mut [Vec<f64>]| {
                    for row in rows {
                        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                    }
                };
                turn(matrix);
                let (above, below) = matrix.split_at_mut(q);
                for (a, b) in above[p].iter_mut().zip(&mut below[0]) {
                    (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
                }
                turn(&mut rotation);
            }
        }
    }
    rotation
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orthonormal vectors, as the rows of Hadamard's matrix of 16.
    fn hadamard(row: usize) -> Vec<f64> {
        (0..16)
            .map(|col| if (row & col).count_ones().is_multiple_of(2) { 0.25 } else { -0.25 })
            .collect()
    }

    /// The matrix that has these eigenvalues with [`hadamard`]'s rows.
    fn with_eigenvalues(values: &[f64]) -> Vec<f64> {
        let mut matrix = vec![0.0; 256];
        for (row, value) in values.iter().enumerate() {
            let v = hadamard(row);
            for (at, element) in matrix.iter_mut().enumerate() {
                *element += value * v[at / 16] * v[at % 16];
            }
        }
        matrix
    }

    #[test]
    fn eigenpairs_are_those_that_the_matrix_was_made_of() {
        let values =
            [1.0, 2.0, 7.0, 0.1, 3.5, 0.5, 0.9, 1.1, 0.2, 0.3, 0.7, 0.6, 1.3, 0.8, 1.2, 0.4];
        let found = largest(&with_eigenvalues(&values), 16, 3);
        for ((value, vector), (expected, row)) in found.iter().zip([(7.0, 2), (3.5, 4), (2.0, 1)]) {
            assert!((value - expected).abs() < 1e-12, "{value}, expected {expected}");
            assert!((dot(vector, &hadamard(row)).abs() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn equal_eigenvalues_give_orthonormal_vectors_of_their_span() {
        let found = largest(&with_eigenvalues(&[5.0, 5.0, 5.0, 5.0, 1.0]), 16, 3);
        for (at, (value, vector)) in found.iter().enumerate() {
            assert!((value - 5.0).abs() < 1e-12);
            let in_span: f64 = (0..4).map(|row| dot(vector, &hadamard(row)).powi(2)).sum();
            assert!((in_span - 1.0).abs() < 1e-12);
            for (_, other) in &found[..at] {
                assert!(dot(vector, other).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn eigenvalues_that_close_in_slowly_are_right_in_their_sizes() {
        let values: Vec<f64> = (0..16).map(|i| 1.0 - 1e-3 * f64::from(i)).collect();
        for ((value, _), expected) in largest(&with_eigenvalues(&values), 16, 3).iter().zip(&values)
        {
            assert!((value - expected).abs() < 1e-3, "{value}, expected {expected}");
        }
    }

    #[test]
    fn directions_that_a_matrix_lacks_are_zero() {
        let found = largest(&with_eigenvalues(&[0.0, 2.0]), 16, 3);
        assert!((found[0].0 - 2.0).abs() < 1e-12);
        assert_eq!(found[1..], vec![(0.0, vec![0.0; 16]); 2]);
        assert_eq!(largest(&[0.0; 4], 2, 3), vec![(0.0, vec![0.0; 2]); 3]);
        let one = largest(&[4.0], 1, 3);
        assert_eq!((one[0].0, one[0].1[0].abs(), &one[2]), (4.0, 1.0, &(0.0, vec![0.0])));
    }
}
