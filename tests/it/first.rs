//! Tells the shortest whole story: a goal file in, a green branch out.

use crate::common::{House, RENAME, rename_goal};

#[test]
fn a_goal_file_goes_in_and_a_green_branch_comes_out() {
    let goal = rename_goal("checks: [\"test -d src\"]\nplan: { rules: [rename.yml], files_per_task: 1 }\n");
    let house = House::with(&[
        ("rename.yml", RENAME),
        ("goal.md", &goal),
        ("src/a.py", "print(old(1))\n"),
        ("src/b.py", "print(old(2), old(old(3)))\n"),
        ("src/c.py", "print(3)\n"),
    ]);
    let base = house.git(&["rev-parse", "main"]);
    house.artel(&["run", "goal.md"]).exits(0).says("landed t1");
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
    assert_eq!(house.landed("src/b.py"), "print(new(2), new(new(3)))");
    assert_eq!(house.board()["counts"]["landed"], 2);
    assert_eq!(house.git(&["rev-parse", "main"]), base);
    assert_eq!(house.git(&["status", "--porcelain"]), "");
    house.artel(&["deliver"]).exits(0);
    assert_eq!(house.git(&["show", "main:src/a.py"]), "print(new(1))");
    assert_eq!(house.git(&["status", "--porcelain"]), "");
}
