/**
 * The level of the state machine: how entries are evaluated. Members of one ensemble may run different versions during a
 * deploy, so a change of evaluation is a new level, and it is in force from the configuration entry that says so, on all
 * members alike. A leader proposes a level when every voter knows it; a member that does not know the level in force is
 * refused, and says why. A store at a level that this version does not know is not opened: its entries would give something else.
 *
 * Level 1 is the first one.
 */
export const featureLevel = 1
