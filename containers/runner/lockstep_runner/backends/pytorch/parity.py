"""For comparing what is computed rather than how fast: the logits of every position are kept and told in short.

In 32 bits each pass goes over the token that the pass before gave, and whole sequences are compared. In fewer bits one early
rounding would make all that follows another text. So each pass goes over the token that the same model gives in 32 bits,
run eagerly over a growing cache (the teacher), and what is compared is each position by itself: where the teacher's two
highest logits lie further apart than rounding moves them, both have to pick the same token.

Keeping the logits costs time inside the timed part: a lane of this backend is no lane to time.
"""

from lockstep_runner.backends import BackendError
from lockstep_runner.backends.pytorch import PyTorch
from lockstep_runner.backends.pytorch.settings import Settings
from lockstep_runner.sampling import Seeded

# A position decides when the teacher's two highest logits lie further apart than this many times the root mean square of
# the differences between its logits and those that are compared.
DECISIVE_ERRORS = 4


class Parity(PyTorch):
    """The backend `pytorch_parity`."""

    def __init__(self):
        super().__init__()
        self._lessons = {}

    def prefill_untimed(self, job, pulse):
        """What is kept of the repetition begins with its first pass."""
        if isinstance(job.pick, Seeded):
            raise BackendError("parity is of greedy tokens, and this work draws them")
        job.kept = []
        job.lesson = None if job.cell.settings.dtype == "f32" else self._lesson(job, pulse)
        super().prefill_untimed(job, pulse)

    def advance(self, job, tokens, pulse):
        """A pass; the next goes over its own greedy token, or over the teacher's."""
        logits = self.pass_over(job, tokens, pulse)
        # A copy: the next replay of a CUDA graph writes over the original.
        job.kept.append(logits.to(self._torch.float32, copy=True))
        if job.lesson is None:
            return logits.argmax(dim=-1, keepdim=True)
        return job.lesson[len(job.kept) - 1].argmax(dim=-1, keepdim=True)

    def finish(self, job):
        """The cell's own greedy tokens, and what its logits were."""
        kept = self._torch.cat(job.kept)
        if not kept.isfinite().all():
            raise BackendError("a logit is not finite; the weights or the computation are broken")
        output = super().finish(job)
        own = kept[len(kept) - len(output.tokens) :]
        output.tokens = own.argmax(dim=-1).tolist()
        for name, found in (("mean", own.mean(1)), ("std", own.std(1)), ("min", own.amin(1)), ("max", own.amax(1))):
            output.evidence["logits.%s" % name] = ["%.6g" % value for value in found.tolist()]
        if job.lesson is not None:
            output.evidence.update(compared(self._torch, self._torch.cat(job.lesson[: len(kept)]), kept))
        return output

    def _lesson(self, job, pulse):
        """The teacher's logits for the prompt and as many tokens as the work has, position by position."""
        prompt, passes = tuple(job.work["prompt"]), job.work["new_tokens"] + 1
        known = self._lessons.get(prompt, [])
        if len(known) < passes:
            own = job.cell.settings
            settings = Settings({"attention": own.attention, "dtype": "f32", "quantization": own.quantization}, {})
            model = self._weights.model("f32", settings.attention)
            sequence = self._caches.sequence(model, settings, job.work, settings.positions(job.work))
            inputs, known = sequence.prompt_inputs(), []
            while len(known) < passes:
                known.append(model(**inputs).logits[:, -1, :])
                inputs = sequence.token_inputs(known[-1].argmax(dim=-1, keepdim=True))
                pulse.advance(1)
            self._lessons[prompt] = known
        return known


def compared(torch, teacher, pupil):
    """How far logits `[positions, vocab_size]` lie from the teacher's, and at which positions that leaves no doubt."""
    error = (pupil - teacher).square().mean().sqrt().item()
    highest = teacher.topk(2, dim=-1).values
    decisive = highest[:, 0] - highest[:, 1] > DECISIVE_ERRORS * error
    agreeing = decisive & (pupil.argmax(dim=-1) == teacher.argmax(dim=-1))
    return {
        "teacher.positions": len(teacher),
        "teacher.rms_error": float("%.6g" % error),
        "teacher.decisive": int(decisive.sum()),
        "teacher.agreeing": int(agreeing.sum()),
        "teacher.decisive_share": float("%.6g" % decisive.float().mean().item()),
    }
