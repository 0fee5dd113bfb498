"""Classical learners in ml/, deep learners in dl/; one file each, no list to edit."""
