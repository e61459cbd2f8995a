"""Every fuzz target by its name."""

from tests.fuzz import (
    card_targets,
    enrolment_targets,
    file_targets,
    message_targets,
    node_targets,
    noise_targets,
    noisesocket_targets,
    stream_targets,
)

TARGETS = {
    **card_targets.TARGETS,
    **noise_targets.TARGETS,
    **noisesocket_targets.TARGETS,
    **message_targets.TARGETS,
    **stream_targets.TARGETS,
    **node_targets.TARGETS,
    **enrolment_targets.TARGETS,
    **file_targets.TARGETS,
}
