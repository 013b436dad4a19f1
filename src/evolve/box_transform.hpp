#pragma once

namespace galapagos {

/// A smooth map from all reals onto [0, 1] (BoxConstraintsLinQuadTransformation of pycma): the
/// identity in the middle 90 %, quadratic towards the bounds, mirrored and periodic beyond. Unlike
/// clipping, it leaves a normal distribution that touches a bound without a pile of equal values
/// that would bias the covariance.
double into_unit_interval(double y);

/// The y in [-0.05, 1.05] that maps to u in [0, 1].
double from_unit_interval(double u);

}  // namespace galapagos
