"""Subjects are measured apart, at the selected node, and ready-made pairs differ in one thing."""

import gc
import weakref
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.model.nodes import node_table
from convnext_studio.protocol.receptive_fields import FieldNetwork
from convnext_studio.ui.panels.receptive_field_lab.lab_panel import OPEN_TEXT, RANDOM_TEXT, ReceptiveFieldLab
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.comparison_entries import RELATIVES, at_node, network, random_weights, suggestions
from convnext_studio.ui.widgets.message_bar import Notice
from tests.leaks import delete_later_now
from tests.ui.conftest import FakeEngine, change_all, make_model
from tests.ui.panels.receptive_field_lab.told import TITLES, asked, compare, settle


def test_it_begins_with_the_open_model_at_the_selected_node(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    (request,) = asked(engine)
    assert request.subject == FieldNetwork()
    assert (request.node, request.images) == ("stage2", ("one",))
    assert [subject.name for subject in lab.compare.subjects] == ["Trained"]


def test_four_subjects_ask_apart_and_a_fifth_has_no_room(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    for text in (RANDOM_TEXT, "preset:tutorial", "timm:resnet50", "preset:convnext_tiny"):
        lab.source.setCurrentText(text)
        QTest.keyClick(lab.source, Qt.Key.Key_Return)
    assert [subject.name for subject in lab.compare.subjects] == [
        "Trained",
        "Random weights: Trained",
        "tutorial",
        "resnet50",
    ]
    requests = asked(engine)
    assert len({request.panel for request in requests}) == len(requests) == 4
    assert [request.subject.source for request in requests] == ["", "", "preset:tutorial", "timm:resnet50"]
    # The tutorial's network has a fourth stage, too; what a ResNet calls its last one, only timm knows.
    assert [request.subject.node for request in requests[2:]] == ["", "last"]
    assert not lab.add.isEnabled()
    lab.compare.subjects[1].remove.click()
    assert lab.add.isEnabled()
    assert [subject.place for subject in lab.compare.subjects] == [0, 1, 2]
    assert requests[1].id in engine.cancelled


def test_nothing_typed_adds_nothing(lab: ReceptiveFieldLab) -> None:
    lab.source.setCurrentText("  ")
    lab.add.click()
    assert len(lab.compare.subjects) == 1


def test_a_weights_file_is_called_by_its_name() -> None:
    assert network("/models/my net.safetensors", offline=True).title == "my net.safetensors"
    subject = network("timm:resnet50", offline=True).subject
    assert subject is not None
    assert subject.offline


def test_what_is_suggested_can_be_typed() -> None:
    assert "preset:convnext_tiny" in suggestions()
    assert set(RELATIVES) <= set(suggestions())


def test_all_follow_the_node_and_the_choices(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    compare(lab, TITLES[0])
    state.set_node("stage2")
    lab.fields.count.setValue(3)
    settle(qtbot, lab)
    assert [(request.node, request.count) for request in asked(engine)] == [("stage2", 3)] * 2


def test_where_there_is_no_field_one_sentence_says_so(
    lab: ReceptiveFieldLab, state: AppState, qtbot: QtBot
) -> None:
    state.set_node("head.norm")
    settle(qtbot, lab)
    assert "no receptive field" in lab.compare.subjects[0].notice


def test_an_isotropic_network_is_measured_at_its_last_stage() -> None:
    subject = network("preset:convnext_isotropic_small", offline=False).subject
    assert subject is not None
    assert at_node(subject, "stage4").node == "last"
    assert at_node(subject, "stage1").node == ""


def test_a_step_on_the_road_to_convnext_has_stages_only() -> None:
    entry = network("road:kernel5", offline=False)
    assert entry.title == "Kernels 5 × 5"
    assert entry.subject is not None
    assert entry.subject.source in suggestions()
    assert at_node(entry.subject, "stage2.block1").node == "last"
    assert at_node(entry.subject, "stage2").node == ""


def test_the_random_entry_keeps_the_architecture() -> None:
    model = make_model()
    subject = random_weights(model).subject
    assert subject is not None
    assert subject.config == model.config


def test_the_open_model_can_be_added_again(lab: ReceptiveFieldLab) -> None:
    lab.source.setCurrentText(OPEN_TEXT)
    lab.add.click()
    assert [subject.name for subject in lab.compare.subjects] == ["Trained", "Trained"]


def configs(lab: ReceptiveFieldLab) -> list[object]:
    return [
        subject.entry.subject.config for subject in lab.compare.subjects if subject.entry.subject is not None
    ]


def test_trained_against_random_weights(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "Trained against random weights")
    assert state.model is not None
    assert configs(lab) == [None, state.model.config]


def test_trained_kernels_are_those_of_the_bundled_models(lab: ReceptiveFieldLab) -> None:
    compare(lab, "3 × 3 against 7 × 7 kernels, trained")
    subjects = [subject.entry.subject for subject in lab.compare.subjects]
    assert [subject is not None and subject.source for subject in subjects] == ["bundled-3x3", "bundled"]
    assert [subject.name for subject in lab.compare.subjects] == [
        "3 × 3 kernels, trained",
        "7 × 7 kernels, trained",
    ]


def test_kernels_differ_in_nothing_but_the_kernels(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "3 × 3 against 7 × 7 kernels, untrained")
    assert state.model is not None
    common = replace(state.model.config, layer_scale_init_value=1.0)
    assert configs(lab) == [replace(common, kernel_size=3), replace(common, kernel_size=7)]


def test_layer_scales_differ_in_nothing_but_the_layer_scale(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "Layer scale 1e-6 against 1")
    assert state.model is not None
    config = state.model.config
    assert configs(lab) == [replace(config, layer_scale_init_value=value) for value in (1e-6, 1.0)]


def test_versions_are_made_as_they_begin(lab: ReceptiveFieldLab, state: AppState) -> None:
    compare(lab, "V1 against V2")
    assert state.model is not None
    second = replace(state.model.config, grn=True, layer_scale_init_value=0.0)
    assert configs(lab) == [state.model.config, second]
    assert all(node.field.is_global for node in node_table(second, 64) if node.kind == "stage")


@pytest.mark.parametrize(
    "title", [title for title in TITLES if title != "3 × 3 against 7 × 7 kernels, trained"]
)
def test_a_network_of_another_family_is_not_varied(lab: ReceptiveFieldLab, state: AppState, title: str) -> None:
    told: list[Notice] = []
    lab.noticed.connect(told.append)
    assert state.model is not None
    other = replace(state.model)
    msgspec.structs.force_setattr(other, "config", SimpleNamespace(stages=state.model.config.stages))
    state.set_model(other)
    compare(lab, title)
    assert "the open model is not one" in told[-1].message
    assert len(lab.compare.subjects) == 1


def test_a_comparison_without_a_model_is_told(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, background: Background
) -> None:
    lab = ReceptiveFieldLab(state, bridge, background)
    qtbot.addWidget(lab)
    told: list[Notice] = []
    lab.noticed.connect(told.append)
    compare(lab, TITLES[0])
    lab.source.setCurrentText(RANDOM_TEXT)
    lab.add.click()
    assert ["No model" in notice.message for notice in told] == [True, True]
    assert len(lab.compare.subjects) == 1


def test_nothing_of_a_removed_subject_hears_what_is_opened_later(
    pair: ReceptiveFieldLab, state: AppState
) -> None:
    """A lambda that is connected to the state would still be called after the widgets are deleted."""
    second = pair.compare.subjects[1]
    parts = [weakref.ref(each) for each in (second, second.measured, second.measured.query)]
    del second
    pair.compare.subjects[1].remove.click()
    delete_later_now()
    change_all(state)  # An error in a slot fails the test.
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)
