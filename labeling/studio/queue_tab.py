"""A tab in the Data Manager of our project in which the tasks stand in the order of their worth, the first first.

"Label Tasks As Displayed" in that tab follows the order; "Label All Tasks" goes by task number, which is the order of
each batch as it was sent. People may rename the tab and change its columns.
"""

from typing import Any

from labeling.studio.client import Studio

TITLE = "By worth"
ORDERING = "tasks:data.worth"
HIDDEN = [
    f"tasks:{name}"
    for name in (
        *("inner_id", "completed_at", "total_predictions", "annotators", "annotations_results", "annotations_ids"),
        *("predictions_score", "predictions_model_versions", "predictions_results", "file_upload", "storage_filename"),
        *("created_at", "updated_at", "updated_by", "avg_lead_time", "draft_exists"),
        *("data.suggestion", "data.text_id", "data.batch_id", "data.purpose", "data.model_version"),
    )
]
"""The columns beside the text, its source, worth and reason, and the numbers of answers and skips. With them the text
would stand far out of sight."""


def ensure_tab(studio: Studio, project_id: int) -> None:
    """Make the tab where no tab has that order. A tab that people made is never changed."""
    there = studio.get("/api/dm/views", {"project": project_id})
    if any(ORDERING in (view["data"] or {}).get("ordering", ()) for view in there):
        return
    # Without the display type, 10 would stand before 9.
    data: Any = {
        "title": TITLE,
        "type": "list",
        "target": "tasks",
        "ordering": [ORDERING],
        "columnsDisplayType": {ORDERING: "Number"},
        "hiddenColumns": {"explore": HIDDEN, "labeling": [*HIDDEN, ORDERING, "tasks:data.reason"]},
    }
    studio.api.views.create(project=project_id, data=data)
