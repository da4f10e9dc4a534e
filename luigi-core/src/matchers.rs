//! The tests that rules are made of, each small and on its own: networks, schedules, subjects, paths.
