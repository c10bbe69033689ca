"""What is looked at, and what is explained."""

from convnext_studio.ui.shell.actions.spec import SEPARATOR, ActionSpec, with_argument
from convnext_studio.ui.shell.commands.commands import Commands
from convnext_studio.ui.state.node_texts import COST_TITLES

NAVIGATE: tuple[ActionSpec, ...] = (
    ActionSpec(
        "next_picture",
        "Navigate",
        "&Next picture",
        "Show the next opened picture",
        with_argument(Commands.step_picture, 1),
        "Alt+Down",
        needs="a picture",
    ),
    ActionSpec(
        "previous_picture",
        "Navigate",
        "&Previous picture",
        "Show the opened picture before",
        with_argument(Commands.step_picture, -1),
        "Alt+Up",
        needs="a picture",
    ),
    ActionSpec("navigate_1", "Navigate", SEPARATOR),
    ActionSpec(
        "next_stage",
        "Navigate",
        "N&ext stage",
        "Look at the stage behind",
        with_argument(Commands.step_stage, 1),
        "Alt+Right",
    ),
    ActionSpec(
        "previous_stage",
        "Navigate",
        "P&revious stage",
        "Look at the stage before",
        with_argument(Commands.step_stage, -1),
        "Alt+Left",
    ),
    *(
        ActionSpec(
            f"stage_{number}",
            "Navigate",
            f"Stage &{number}",
            f"Look at the output of stage {number}",
            with_argument(Commands.select_stage, number),
            str(number),
        )
        for number in (1, 2, 3, 4)
    ),
    ActionSpec("navigate_2", "Navigate", SEPARATOR),
    ActionSpec(
        "next_node",
        "Navigate",
        "Ne&xt node",
        "Look at the node behind, on the level that the network strip shows",
        with_argument(Commands.step_node, 1),
        "Ctrl+Right",
    ),
    ActionSpec(
        "previous_node",
        "Navigate",
        "Pre&vious node",
        "Look at the node before, on the level that the network strip shows",
        with_argument(Commands.step_node, -1),
        "Ctrl+Left",
    ),
    ActionSpec(
        "open_node",
        "Navigate",
        "&Open node",
        "Show a stage's blocks, or a block's operations, in the network strip",
        Commands.open_node,
        "Ctrl+Down",
    ),
    ActionSpec(
        "go_up",
        "Navigate",
        "Go &up",
        "Go back from operations to their block, and from blocks to their stage",
        Commands.go_up,
        "Ctrl+Up",
    ),
    *(
        ActionSpec(
            f"costs_{kind}",
            "Navigate/Cost &bars",
            title,
            f"{title} below the nodes of the network strip",
            with_argument(Commands.show_costs, kind),
            f"Alt+{number}",
            checkable=True,
            group="costs",
        )
        for number, (kind, title) in enumerate(COST_TITLES.items())
    ),
    ActionSpec(
        "clear_unit",
        "Navigate",
        "&Clear the unit",
        "Show the picture without a unit's field",
        Commands.clear_unit,
        "Ctrl+U",
        needs="a selected unit",
    ),
    ActionSpec(
        "pin",
        "Navigate",
        "P&in",
        "Keep this node on this picture beside whatever is selected next, to compare; or stop that",
        Commands.toggle_pin,
        "Ctrl+P",
        checkable=True,
        needs="a picture and a model",
    ),
    ActionSpec("navigate_3", "Navigate", SEPARATOR),
    ActionSpec(
        "follow_top",
        "Navigate",
        "Explain the &top prediction",
        "Explain whatever is predicted first",
        Commands.follow_top,
        "Ctrl+T",
    ),
    ActionSpec(
        "search_class",
        "Navigate",
        "&Find a class…",
        "Search among all classes for one to explain",
        Commands.search_class,
        "Ctrl+F",
    ),
    ActionSpec("navigate_4", "Navigate", SEPARATOR),
    ActionSpec(
        "evidence",
        "Navigate",
        "Check the &map…",
        "Measure whether the attribution map can be believed",
        Commands.show_evidence,
        "Ctrl+I",
    ),
    ActionSpec(
        "contact_sheet",
        "Navigate",
        "Contact s&heet…",
        "Explain all opened pictures beside each other",
        Commands.show_contact_sheet,
        "Ctrl+K",
    ),
    ActionSpec("navigate_5", "Navigate", SEPARATOR),
    ActionSpec(
        "cancel", "Navigate", "&Stop computing", "Stop all that is being computed", Commands.cancel, "Esc"
    ),
)
