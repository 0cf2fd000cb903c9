//! From what a type's own `push` answers to the outputs of the contract.
//!
//! Inside this room indicators are composed through `push`, which speaks `Option<f64>`; at its border
//! they speak `[Value; N]`. This is the one place between the two.

use super::value::Value;

/// What `push` may answer: one number, several that come together, or several each with its own state.
pub(crate) trait Answer<const N: usize> {
    /// As outputs.
    fn outputs(self) -> [Value; N];
}

impl Answer<1> for f64 {
    #[inline]
    fn outputs(self) -> [Value; 1] {
        [Value::of(self)]
    }
}

impl Answer<1> for Option<f64> {
    #[inline]
    fn outputs(self) -> [Value; 1] {
        [self.into()]
    }
}

impl<const N: usize> Answer<N> for [f64; N] {
    #[inline]
    fn outputs(self) -> [Value; N] {
        self.map(Value::of)
    }
}

impl<const N: usize> Answer<N> for [Option<f64>; N] {
    #[inline]
    fn outputs(self) -> [Value; N] {
        self.map(Value::from)
    }
}

impl<const N: usize> Answer<N> for Option<[f64; N]> {
    #[inline]
    fn outputs(self) -> [Value; N] {
        self.map_or([Value::UNDEFINED; N], |all| all.map(Value::of))
    }
}

/// Puts types under the contract by their `push`: `indicators!(f64: Dema => 1, Trix => 1)`; those behind
/// `in blocks` also by their `push_block`.
macro_rules! indicators {
    ($input:ty: $($name:ty => $count:literal),* $(,)?) => {
        $(impl $crate::indicators::contract::Indicator for $name {
            $crate::indicators::answer::indicators!(@update $input, $count);
        })*
    };
    ($input:ty, in blocks: $($name:ty => $count:literal),* $(,)?) => {
        $(impl $crate::indicators::contract::Indicator for $name {
            $crate::indicators::answer::indicators!(@update $input, $count);
            const IN_BLOCKS: bool = true;
            #[inline]
            fn block(
                &mut self,
                values: &$crate::indicators::bar::Block,
                out: [&mut $crate::indicators::value::ValueBlock; $count],
            ) {
                self.push_block(values, out);
            }
        })*
    };
    (@update $input:ty, $count:literal) => {
        type Input = $input;
        type Output = [$crate::indicators::value::Value; $count];
        #[inline]
        fn update(&mut self, input: $input) -> Self::Output {
            $crate::indicators::answer::Answer::<$count>::outputs(self.push(input))
        }
    };
}

pub(crate) use indicators;
