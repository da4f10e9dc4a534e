//! Points of a product of finite dimensions, put together into boxes.
//!
//! A box is a set of choices for each dimension; all points of it have the same value. Boxes are made from the simplest point that none
//! has yet, and widened one choice at a time, so that together they are exactly the points with the value, and few.

/// A product of finite dimensions with a value at each point.
pub(super) struct Product {
    /// How many choices each dimension has; the first varies slowest.
    sizes: Vec<usize>,
    values: Vec<u16>,
}

/// A set of choices for each dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cube {
    pub(super) chosen: Vec<Vec<bool>>,
    /// The simplest point, as a choice for each dimension.
    pub(super) seed: Vec<usize>,
}

impl Cube {
    /// Whether every point of another box is one of this.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let within =
            |(mine, theirs): (&Vec<bool>, &Vec<bool>)| mine.iter().zip(theirs).all(|(mine, theirs)| *mine || !theirs);
        self.chosen.iter().zip(&other.chosen).all(within)
    }
}

impl Product {
    /// A product whose values `value` gives, in the order of points: the last dimension varies fastest. It gives the point instead
    /// whose value is the same, if there is one that came before.
    pub(super) fn new(sizes: &[usize], mut value: impl FnMut(&[usize]) -> Result<u16, Vec<usize>>) -> Self {
        let all: usize = sizes.iter().product();
        let mut values = Vec::with_capacity(all);
        let mut point = vec![0; sizes.len()];
        for _ in 0..all {
            let found = value(&point)
                .unwrap_or_else(|same| values[same.iter().zip(sizes).fold(0, |index, (at, size)| index * size + at)]);
            values.push(found);
            for at in (0..sizes.len()).rev() {
                point[at] += 1;
                if point[at] < sizes[at] {
                    break;
                }
                point[at] = 0;
            }
        }
        Self { sizes: sizes.to_vec(), values }
    }

    fn point(&self, mut index: usize) -> Vec<usize> {
        let mut point = vec![0; self.sizes.len()];
        for (at, size) in self.sizes.iter().enumerate().rev() {
            point[at] = index % size;
            index /= size;
        }
        point
    }

    /// The values of a cube's points.
    pub(super) fn values<'s>(&'s self, cube: &'s Cube) -> impl Iterator<Item = u16> + 's {
        let mut values = Vec::new();
        self.visit(&cube.chosen, |index| {
            values.push(self.values[index]);
            true
        });
        values.into_iter()
    }

    /// Calls `each` with the points of a box until it says no; whether it never did.
    pub(super) fn visit(&self, chosen: &[Vec<bool>], mut each: impl FnMut(usize) -> bool) -> bool {
        let lists: Vec<Vec<usize>> = chosen.iter().map(|set| (0..set.len()).filter(|at| set[*at]).collect()).collect();
        let mut at = vec![0; lists.len()];
        loop {
            let index =
                lists.iter().zip(&at).zip(&self.sizes).fold(0, |index, ((list, at), size)| index * size + list[*at]);
            if !each(index) {
                return false;
            }
            let mut dimension = lists.len();
            loop {
                if dimension == 0 {
                    return true;
                }
                dimension -= 1;
                at[dimension] += 1;
                if at[dimension] < lists[dimension].len() {
                    break;
                }
                at[dimension] = 0;
            }
        }
    }

    /// How many of some boxes hold each point.
    pub(super) fn counts(&self, cubes: &[Cube]) -> Vec<u32> {
        let mut counts = vec![0; self.values.len()];
        for cube in cubes {
            self.visit(&cube.chosen, |index| {
                counts[index] += 1;
                true
            });
        }
        counts
    }

    /// Whether all points of a box have such values.
    pub(super) fn all(&self, chosen: &[Vec<bool>], is: impl Fn(u16) -> bool) -> bool {
        self.visit(chosen, |index| is(self.values[index]))
    }

    /// Boxes that together hold exactly the points whose value is `wanted`; `order` says in which order dimensions are widened,
    /// `may_widen` whether a box may get one more choice there. At most `limit` boxes; whether more were needed.
    pub(super) fn cover(
        &self,
        wanted: impl Fn(u16) -> bool,
        order: &[usize],
        may_widen: impl Fn(&Cube, usize, usize) -> bool,
        limit: usize,
    ) -> (Vec<Cube>, bool) {
        let mut covered = vec![false; self.values.len()];
        let mut left: Vec<usize> = (0..self.values.len()).filter(|index| wanted(self.values[*index])).collect();
        left.sort_by_cached_key(|index| self.point(*index).iter().sum::<usize>());
        let mut cubes = Vec::new();
        for index in left {
            if covered[index] {
                continue;
            }
            if cubes.len() == limit {
                return (cubes, true);
            }
            let seed = self.point(index);
            let mut chosen: Vec<Vec<bool>> = self.sizes.iter().map(|size| vec![false; *size]).collect();
            for (set, at) in chosen.iter_mut().zip(&seed) {
                set[*at] = true;
            }
            let mut cube = Cube { chosen, seed };
            for dimension in order {
                for choice in 0..self.sizes[*dimension] {
                    if cube.chosen[*dimension][choice] || !may_widen(&cube, *dimension, choice) {
                        continue;
                    }
                    let mut slice = cube.chosen.clone();
                    slice[*dimension].fill(false);
                    slice[*dimension][choice] = true;
                    if self.all(&slice, &wanted) {
                        cube.chosen[*dimension][choice] = true;
                    }
                }
            }
            self.visit(&cube.chosen, |index| {
                covered[index] = true;
                true
            });
            cubes.push(cube);
        }
        (cubes, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_hold_exactly_the_points_with_the_value() {
        // Wanted: the second choice of the first dimension, or the third of the second.
        let product = Product::new(&[2, 3, 4], |point| Ok(u16::from(point[0] == 1 || point[1] == 2)));
        let (cubes, more) = product.cover(|value| value == 1, &[2, 1, 0], |_, _, _| true, 10);
        assert!(!more);
        assert_eq!(cubes.len(), 2);
        for first in 0..2 {
            for second in 0..3 {
                for third in 0..4 {
                    let holds = |cube: &Cube| cube.chosen[0][first] && cube.chosen[1][second] && cube.chosen[2][third];
                    let wanted = first == 1 || second == 2;
                    assert_eq!(cubes.iter().any(holds), wanted, "{first} {second} {third}");
                }
            }
        }
        assert!(cubes.iter().all(|cube| cube.chosen[2] == [true; 4]), "what makes no difference is left open");
        assert!(product.cover(|value| value == 1, &[], |_, _, _| true, 1).1);
    }
}
