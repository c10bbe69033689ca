"""The promises of the ledger, whatever happens in whatever order."""

import math

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from convnext_studio.common.retouches import Retouch
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.engine.client.ledger import Ledger
from convnext_studio.protocol.envelope import (
    Cancel,
    Cancelled,
    Done,
    EngineLost,
    EngineReady,
    Failed,
    Message,
    Payload,
    Progress,
    Request,
    Started,
)
from convnext_studio.protocol.interventions import Intervene
from convnext_studio.protocol.models import (
    CloseModel,
    KeepWithin,
    LoadModel,
    NameClasses,
    SavedModel,
    SaveModel,
    SwapModels,
)
from convnext_studio.protocol.pictures import (
    CloseImage,
    ListedPicture,
    ListedPictures,
    ListPictures,
    OpenImage,
    OpenRetouched,
    PictureSource,
    RestorePictures,
    ShowPicture,
)
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.engine.client.fake_engine import image_info, model_info


class LedgerMachine(RuleBasedStateMachine):
    """A ledger between a window that asks and engines that answer, dawdle and die."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Message] = []
        self.engine: list[Request] = []  # what the engine has been sent and not answered
        self.begun: set[int] = set()
        self.is_alive = False
        self.asked: dict[int, Request] = {}
        self.ledger = Ledger(self.to_engine, self.heard.append)

    def to_engine(self, message: Request | Cancel) -> None:
        assert self.is_alive
        if isinstance(message, Request):
            assert message.id not in [request.id for request in self.engine]
            self.engine.append(message)

    @rule(
        request=st.sampled_from(
            [
                LoadModel(source="a"),
                LoadModel(source="b"),
                OpenImage(path="x"),
                OpenImage(path="y"),
                Predict(image="x", panel="p"),
                Predict(image="x", panel="q"),
                ReceptiveField(node="stage4"),
            ]
        )
    )
    def ask(self, request: Request) -> None:
        identifier = self.ledger.ask(request)
        assert identifier not in self.asked
        self.asked[identifier] = request

    @rule(identifier=st.integers(1, 40))
    def cancel(self, identifier: int) -> None:
        self.ledger.cancel(identifier)

    @rule()
    def start(self) -> None:
        if not self.is_alive:
            self.is_alive = True
            self.ledger.connected()
            self.ledger.received(EngineReady())

    @rule()
    def die(self) -> None:
        if self.is_alive:
            self.is_alive = False
            self.engine.clear()
            self.begun.clear()
            self.ledger.died("exit code 1")

    @rule(choice=st.floats(0, 1, exclude_max=True), outcome=st.sampled_from(["done", "failed", "cancelled"]))
    def answer(self, choice: float, outcome: str) -> None:
        if not self.engine:
            return
        request = self.engine[math.floor(choice * len(self.engine))]
        if request.id not in self.begun:
            self.begun.add(request.id)
            self.ledger.received(Started(id=request.id))
            self.ledger.received(Progress(id=request.id, done=0, total=1, text=""))
            return
        self.engine.remove(request)
        payload: Payload = None
        if isinstance(request, LoadModel):
            payload = model_info(request.source)
        elif isinstance(request, OpenImage):
            payload = image_info(request.path)
        answers: dict[str, Message] = {
            "done": Done(id=request.id, payload=payload, seconds=0),
            "failed": Failed(id=request.id, message="no"),
            "cancelled": Cancelled(id=request.id),
        }
        self.ledger.received(answers[outcome])

    @invariant()
    def one_answer_each_and_nothing_after_it(self) -> None:
        answered: set[int] = set()
        for message in self.heard:
            if isinstance(message, Started | Progress | Done | Failed | Cancelled):
                assert message.id not in answered
                assert message.id in self.asked
            if isinstance(message, Done | Failed | Cancelled):
                answered.add(message.id)
        assert self.ledger.has_unanswered == (answered != set(self.asked))

    @invariant()
    def the_engine_knows_every_request_that_waits(self) -> None:
        answered = {m.id for m in self.heard if isinstance(m, Done | Failed | Cancelled)}
        if self.is_alive:
            assert set(self.asked) - answered <= {request.id for request in self.engine}

    def teardown(self) -> None:
        self.ledger.cancel_all()
        assert not self.ledger.has_unanswered
        self.one_answer_each_and_nothing_after_it()


TestLedger = LedgerMachine.TestCase


def connect() -> tuple[Ledger, list[Request | Cancel], list[Message]]:
    """A ledger with an engine, what that was sent, and what the listener heard."""
    sent: list[Request | Cancel] = []
    heard: list[Message] = []
    ledger = Ledger(sent.append, heard.append)
    ledger.connected()
    ledger.received(EngineReady())
    return ledger, sent, heard


def test_a_model_that_is_loaded_although_it_was_cancelled_is_shown() -> None:
    ledger, sent, heard = connect()
    identifier = ledger.ask(LoadModel(source="a"))
    ledger.cancel(identifier)
    assert sent[-1] == Cancel(id=identifier)
    ledger.received(Progress(id=identifier, done=1, total=2, text=""))
    done = Done(id=identifier, payload=model_info("a"), seconds=0)
    ledger.received(done)
    assert heard == [EngineReady(), done]


def test_weights_that_are_written_although_that_was_cancelled_are_told() -> None:
    ledger, _, heard = connect()
    identifier = ledger.ask(SaveModel(path="/a.pth", layout="studio", title="a"))
    ledger.cancel(identifier)
    done = Done(id=identifier, payload=SavedModel(path="/a.pth", size_bytes=1), seconds=0)
    ledger.received(done)
    assert heard == [EngineReady(), done]


def test_a_cancelled_model_that_fails_is_only_cancelled() -> None:
    ledger, _, heard = connect()
    identifier = ledger.ask(LoadModel(source="a"))
    ledger.cancel(identifier)
    ledger.received(Failed(id=identifier, message="no"))
    assert heard[1:] == [Cancelled(id=identifier)]


def test_a_new_engine_is_ready_when_it_has_opened_all_again() -> None:
    ledger, sent, heard = connect()
    for request, payload in (
        (LoadModel(source="a"), model_info("a")),
        (OpenImage(path="x"), image_info("x")),
    ):
        ledger.received(Done(id=ledger.ask(request), payload=payload, seconds=0))
    newer = ledger.ask(LoadModel(source="b"))
    assert ledger.died("exit code 1")
    del sent[:], heard[:]
    ledger.connected()
    model, pictures, again = sent
    assert isinstance(model, LoadModel)
    assert isinstance(pictures, RestorePictures)
    assert pictures.sources == {"x": PictureSource("x", "x")}
    assert (model.source, again.id) == ("a", newer)
    ledger.received(EngineReady())
    ledger.received(Done(id=pictures.id, payload=None, seconds=0))
    assert heard == []
    ledger.received(Failed(id=model.id, message="There is no file a."))
    lacking = "The new engine could not reopen a: There is no file a."
    assert heard == [EngineLost(message=lacking), EngineReady(restarted=True, lacking=lacking)]
    ledger.received(Done(id=newer, payload=None, seconds=0))
    assert ledger.died("exit code 1")
    ledger.connected()
    ledger.received(EngineReady())
    for request in list(sent)[-2:]:
        ledger.received(Done(id=request.id, payload=None, seconds=0))
    assert heard[-1] == EngineReady(restarted=True)


def test_a_new_engine_is_told_the_names_of_the_classes() -> None:
    ledger, sent, _ = connect()
    for request in (LoadModel(source="a"), NameClasses(labels=("x", "y"))):
        ledger.received(Done(id=ledger.ask(request), payload=model_info("a"), seconds=0))
    assert ledger.died("exit code 1")
    del sent[:]
    ledger.connected()
    [model] = sent
    assert isinstance(model, LoadModel)
    assert (model.source, model.labels) == ("a", ("x", "y"))


def test_a_new_engine_is_told_both_networks_and_which_is_which() -> None:
    ledger, sent, _ = connect()

    def answer(request: Request, payload: Payload = None) -> None:
        ledger.received(Done(id=ledger.ask(request), payload=payload, seconds=0))

    def reopened() -> dict[str, str]:
        assert ledger.died("exit code 1")
        del sent[:]
        ledger.connected()
        ledger.received(EngineReady())
        requests = [request for request in sent if isinstance(request, LoadModel)]
        for request in requests:
            ledger.received(Done(id=request.id, payload=model_info(request.source), seconds=0))
        return {request.network: request.source for request in requests}

    answer(LoadModel(source="a"), model_info("a"))
    answer(LoadModel(source="b", network="B"), model_info("b"))
    assert reopened() == {"A": "a", "B": "b"}
    answer(SwapModels())
    assert reopened() == {"A": "b", "B": "a"}
    answer(CloseModel(network="B"))
    assert reopened() == {"A": "b"}


def test_a_question_to_one_network_does_not_replace_the_same_to_the_other() -> None:
    ledger, _, heard = connect()
    ledger.ask(Predict(image="x", panel="predict"))
    other = ledger.ask(Predict(image="x", panel="predict", network="B"))
    assert heard == [EngineReady()]
    ledger.ask(Predict(image="y", panel="predict", network="B"))
    assert heard == [EngineReady(), Cancelled(id=other)]


def test_thousands_of_listed_pictures_are_named_to_a_new_engine_in_one_message() -> None:
    ledger, sent, heard = connect()
    listed = tuple(ListedPicture(f"key {number}", f"{number}.png", f"/{number}.png") for number in range(5000))
    asked = ledger.ask(ListPictures(paths=("/",)))
    ledger.received(Done(id=asked, payload=ListedPictures(pictures=listed, checked=0), seconds=0))
    changed = ledger.ask(ShowPicture(image="key 7"))
    ledger.received(Done(id=changed, payload=image_info("newer"), seconds=0))
    view = PictureView(frame=2, bands=(4,))
    shown = ledger.ask(ShowPicture(image="key 6", view=view))
    ledger.received(Done(id=shown, payload=replace(image_info("third page"), view=view), seconds=0))
    closed = ledger.ask(CloseImage(images=("key 8", "key 9")))
    ledger.received(Done(id=closed, payload=None, seconds=0))
    assert ledger.died("exit code 1")
    del sent[:]
    ledger.connected()
    (pictures,) = sent
    assert isinstance(pictures, RestorePictures)
    kept = {each.key for each in listed} - {"key 6", "key 7", "key 8", "key 9"} | {"newer", "third page"}
    assert set(pictures.sources) == kept
    assert pictures.sources["newer"] == PictureSource("/7.png", "7.png")
    assert pictures.sources["third page"] == PictureSource("/6.png", "6.png", view=view)
    assert pictures.sources["key 4999"] == PictureSource("/4999.png", "4999.png")
    assert len(heard) == 6


@given(answers=st.integers(0, 3))
def test_an_answer_makes_the_count_of_deaths_begin_anew(answers: int) -> None:
    ledger, _, _ = connect()
    for _ in range(answers):
        for _ in range(4):
            assert ledger.died("exit code 1")
            ledger.connected()
        ledger.received(Done(id=ledger.ask(Predict(image="x")), payload=None, seconds=0))
    assert [ledger.died("exit code 1") for _ in range(5)] == [True] * 4 + [False]


def test_another_device_after_a_restart_is_said_and_the_same_one_is_not() -> None:
    ledger, sent, heard = connect()
    before = replace(model_info("a"), device_name="NVIDIA H200")
    ledger.received(Done(id=ledger.ask(LoadModel(source="a")), payload=before, seconds=0))
    for device in ("NVIDIA H200", "CPU"):
        assert ledger.died("exit code 1")
        ledger.connected()
        del heard[:]
        ledger.received(EngineReady())
        ledger.received(Done(id=sent[-1].id, payload=replace(before, device_name=device), seconds=0))
        said = [message.message for message in heard if isinstance(message, EngineLost)]
        moved = "The new engine runs the model on CPU, not on NVIDIA H200."
        assert said == ([moved] if device == "CPU" else [])
        assert heard[-1] == EngineReady(restarted=True)


def test_a_request_may_stop_one_engine_and_fails_when_it_stops_a_second() -> None:
    ledger, sent, heard = connect()
    poison = ledger.ask(Predict(image="x", panel="p"))
    innocent = ledger.ask(Predict(image="x", panel="q"))
    for _ in range(2):
        assert heard[-1] in (EngineReady(), EngineReady(restarted=True))
        ledger.received(Started(id=poison))
        assert ledger.died("exit code 1")
        del sent[:]
        ledger.connected()
        ledger.received(EngineReady())
    assert [request.id for request in sent] == [innocent]
    [failed] = [message for message in heard if isinstance(message, Failed)]
    assert (failed.id, failed.message) == (
        poison,
        "This stopped the engine twice, so it is not tried again.",
    )
    assert failed.hint
    ledger.received(Done(id=innocent, payload=None, seconds=0))
    assert not ledger.has_unanswered


def test_the_request_that_had_begun_last_is_blamed() -> None:
    """The others have yielded to it. Once it is answered, the one before it runs again."""
    ledger, _, heard = connect()
    slow = ledger.ask(ReceptiveField(node="stage4"))
    ledger.received(Started(id=slow))
    for _ in range(2):
        quick = ledger.ask(Predict(image="x"))
        ledger.received(Started(id=quick))
        ledger.received(Done(id=quick, payload=None, seconds=0))
        assert ledger.died("exit code 1")
        ledger.connected()
        ledger.received(EngineReady())
        ledger.received(Started(id=slow))
    assert [message.id for message in heard if isinstance(message, Failed)] == [slow]


def test_an_engine_that_dies_while_idle_blames_nothing() -> None:
    ledger, _, heard = connect()
    waiting = ledger.ask(Predict(image="x"))
    for _ in range(3):
        assert ledger.died("exit code 1")
        ledger.connected()
    assert not [message for message in heard if isinstance(message, Failed)]
    ledger.received(Done(id=waiting, payload=None, seconds=0))
    assert not ledger.has_unanswered


def test_a_model_may_stop_two_engines_that_reopen_it_and_is_tried_again_when_somebody_asks() -> None:
    ledger, sent, heard = connect()
    ledger.received(Done(id=ledger.ask(LoadModel(source="a")), payload=model_info("a"), seconds=0))

    def reopens() -> bool:
        """Start another engine; return whether it is told to open the model, and let that stop it."""
        del sent[:]
        ledger.connected()
        if not sent:
            ledger.received(EngineReady())
            return False
        [request] = sent
        assert isinstance(request, LoadModel)
        ledger.received(Started(id=request.id))
        assert ledger.died("killed")
        return True

    assert ledger.died("exit code 1")
    assert [reopens() for _ in range(4)] == [True, True, True, False]
    lacking = "The new engine could not reopen a: it stopped the engine three times."
    assert heard[-2:] == [EngineLost(message=lacking), EngineReady(restarted=True, lacking=lacking)]
    del sent[:]
    asked = ledger.ask(Predict(image="x"))
    model, question = sent
    assert isinstance(model, LoadModel)
    assert (model.source, question.id) == ("a", asked)
    ledger.received(Done(id=model.id, payload=model_info("a"), seconds=0))
    ledger.received(Done(id=asked, payload=None, seconds=0))
    # It is open again, so that the next question does not open it once more, but the next engine does.
    del sent[:]
    ledger.received(Done(id=ledger.ask(Predict(image="x")), payload=None, seconds=0))
    assert [type(request) for request in sent] == [Predict]
    assert ledger.died("exit code 1")
    assert reopens()


def test_a_model_that_was_given_up_is_not_opened_once_another_is_or_it_was_closed() -> None:
    for request in (LoadModel(source="b"), CloseModel()):
        ledger, sent, _ = connect()
        ledger.received(Done(id=ledger.ask(LoadModel(source="a")), payload=model_info("a"), seconds=0))
        for _ in range(4):
            assert ledger.died("killed")
            del sent[:]
            ledger.connected()
            if sent:
                ledger.received(Started(id=sent[0].id))
        ledger.received(EngineReady())
        # A new network is asked for without the old one; closing opens it, and closes it.
        asked = ledger.ask(request)
        if isinstance(request, LoadModel):
            assert [each.id for each in sent] == [asked]
        else:
            ledger.received(Done(id=sent[0].id, payload=model_info("a"), seconds=0))
        ledger.received(Done(id=asked, payload=None, seconds=0))
        del sent[:]
        ledger.ask(Predict(image="x"))
        assert [type(each) for each in sent] == [Predict]


def test_a_reopened_model_may_stop_engines_anew() -> None:
    ledger, sent, heard = connect()
    ledger.received(Done(id=ledger.ask(LoadModel(source="a")), payload=model_info("a"), seconds=0))
    assert ledger.died("exit code 1")
    for _ in range(3):
        for _ in range(2):
            ledger.connected()
            ledger.received(Started(id=sent[-1].id))
            assert ledger.died("killed")
        ledger.connected()
        ledger.received(EngineReady())
        ledger.received(Done(id=sent[-1].id, payload=model_info("a"), seconds=0))
        assert heard[-1] == EngineReady(restarted=True)
        ledger.received(Done(id=ledger.ask(Predict(image="x")), payload=None, seconds=0))
        assert ledger.died("exit code 1")


def test_an_engine_that_says_why_it_cannot_start_is_not_started_again() -> None:
    ledger, _, heard = connect()
    asked = ledger.ask(Predict(image="x"))
    why = "The engine cannot start. A part of the installation is missing or damaged: libtorch.so is broken."
    ledger.received(EngineLost(message=why))
    assert not ledger.died("exit code 1")
    assert heard[1] == EngineLost(message=why, restarting=False)
    failed = heard[2]
    assert isinstance(failed, Failed)
    assert (failed.id, failed.message) == (asked, why)
    # It is said of that engine alone.
    ledger.connected()
    assert ledger.died("exit code 1")


def test_an_idle_engine_is_not_told_of_a_cancellation_it_need_not_know() -> None:
    ledger, sent, heard = connect()
    asked = ledger.ask(Predict(image="x"))
    ledger.cancel(asked)
    ledger.cancel(asked)
    assert sent[1:] == [Cancel(id=asked)]
    assert heard[1:] == [Cancelled(id=asked)]
    for request in (LoadModel(source="a"), CloseImage(images=("x",))):
        identifier = ledger.ask(request)
        ledger.cancel(identifier)
        ledger.cancel(identifier)
        assert sent[-2:] == [replace(request, id=identifier), Cancel(id=identifier)]
        assert heard[2:] == []
        ledger.received(Cancelled(id=identifier))
        assert heard.pop() == Cancelled(id=identifier)


def test_what_was_cancelled_is_answered_when_the_engine_dies_instead_of_answering() -> None:
    ledger, _, heard = connect()
    asked = ledger.ask(LoadModel(source="a"))
    ledger.cancel(asked)
    assert ledger.died("exit code 1")
    assert heard[1] == Cancelled(id=asked)
    assert not ledger.has_unanswered


def test_nothing_is_sent_while_no_engine_is_connected() -> None:
    ledger, sent, heard = connect()
    assert ledger.died("exit code 1")
    kept = ledger.ask(Predict(image="x"))
    model = ledger.ask(LoadModel(source="a"))
    ledger.cancel(model)
    assert sent == []
    assert heard[-1] == Cancelled(id=model)
    ledger.connected()
    assert [request.id for request in sent] == [kept]


def test_a_picture_of_which_another_is_made_is_named_to_a_new_engine_although_it_was_closed() -> None:
    ledger, sent, _ = connect()

    def answer(request: Request, payload: Payload = None) -> None:
        ledger.received(Done(id=ledger.ask(request), payload=payload, seconds=0))

    def known() -> dict[str, PictureSource]:
        assert ledger.died("exit code 1")
        del sent[:]
        ledger.connected()
        if not sent:
            return {}
        [request] = sent
        assert isinstance(request, RestorePictures)
        ledger.received(Done(id=request.id, payload=None, seconds=0))
        return request.sources

    retouches = (Retouch(rectangle=(0, 0, 1, 1), fill="black"),)
    answer(OpenImage(path="x"), image_info("x"))
    answer(OpenRetouched(image="x", retouches=retouches, name="y"), image_info("y"))
    answer(CloseImage(images=("x",)))
    assert known() == {
        "x": PictureSource("x", "x"),
        "y": PictureSource("", "y", of="x", retouches=retouches),
    }
    answer(CloseImage(images=("x", "y")))
    assert known() == {}


def test_a_failure_to_name_the_pictures_is_said_and_they_are_forgotten() -> None:
    ledger, sent, heard = connect()
    ledger.received(Done(id=ledger.ask(OpenImage(path="x")), payload=image_info("x"), seconds=0))
    assert ledger.died("exit code 1")
    ledger.connected()
    ledger.received(EngineReady())
    ledger.received(Failed(id=sent[-1].id, message="No."))
    lacking = "The new engine could not reopen the pictures: No."
    assert heard[-2:] == [EngineLost(message=lacking), EngineReady(restarted=True, lacking=lacking)]
    assert ledger.died("exit code 1")
    del sent[:]
    ledger.connected()
    assert sent == []


def test_a_changed_network_is_opened_after_what_it_changes() -> None:
    ledger, sent, heard = connect()
    for request in (Intervene(network="B"), LoadModel(source="a")):
        ledger.received(Done(id=ledger.ask(request), payload=model_info("a"), seconds=0))
    ledger.received(Done(id=ledger.ask(OpenImage(path="x")), payload=image_info("x"), seconds=0))
    assert ledger.died("exit code 1")
    del sent[:]
    ledger.connected()
    assert [type(request) for request in sent] == [LoadModel, RestorePictures, Intervene]
    ledger.received(Failed(id=sent[-1].id, message="No."))
    assert isinstance(heard[-1], EngineLost)
    assert heard[-1].message == "The new engine could not reopen the changed network: No."


def test_a_new_engine_keeps_as_much_as_the_one_before() -> None:
    ledger, sent, heard = connect()
    for share in (0.5, 0.25):
        ledger.received(Done(id=ledger.ask(KeepWithin(share=share)), payload=None, seconds=0))
    ledger.received(Done(id=ledger.ask(LoadModel(source="a")), payload=model_info("a"), seconds=0))
    assert ledger.died("exit code 1")
    del sent[:]
    ledger.connected()
    first, second = sent
    assert first == KeepWithin(id=first.id, share=0.25)
    assert isinstance(second, LoadModel)
    ledger.received(EngineReady())
    ledger.received(Failed(id=first.id, message="No."))
    ledger.received(Done(id=second.id, payload=model_info("a"), seconds=0))
    lacking = "The new engine could not reopen its caches: No."
    assert heard[-1] == EngineReady(restarted=True, lacking=lacking)
