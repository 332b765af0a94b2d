"""Recipes: what tasks most often do with state, and what is easy to get wrong when a process dies in between."""

from __future__ import annotations

from statemount.worker.recipes.checkpoints import Checkpoint, acheckpoint, checkpoint
from statemount.worker.recipes.jobs import aresumable_job, resumable_job
from statemount.worker.recipes.submission import JobInDoubtError, JobTakenOverError
from statemount.worker.recipes.watermarks import Watermark, awatermark, watermark

__all__ = [
    "Checkpoint",
    "JobInDoubtError",
    "JobTakenOverError",
    "Watermark",
    "acheckpoint",
    "aresumable_job",
    "awatermark",
    "checkpoint",
    "resumable_job",
    "watermark",
]
