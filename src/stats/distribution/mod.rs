//! Distribution functions, the same to the last bit on every host.
//!
//! Every transcendental is `libm`'s; `statrs` and scipy are what the tests compare with. Tails keep their relative
//! accuracy: a p-value of 1e-200 has as many correct digits as one of 0.2. Each function refuses a NaN and parameters
//! outside its domain with [`super::Error::OutOfRange`].
//!
//! Accuracy, as tested: relative 1e-13 for the normal, 1e-12 for Student's t and chi-square, 1e-11 for the noncentral
//! t; probabilities below the smallest double are 0.

mod beta;
mod domain;
mod gamma;
mod noncentral;
mod normal;
mod quadrature;
mod student;

pub use beta::incomplete_beta;
pub use gamma::{chi_square_sf, ln_gamma};
pub use noncentral::{noncentral_t_cdf, noncentral_t_sf};
pub use normal::{normal_cdf, normal_quantile, normal_sf};
pub use student::{student_t_cdf, student_t_quantile, student_t_sf, student_t_upper_quantile};
