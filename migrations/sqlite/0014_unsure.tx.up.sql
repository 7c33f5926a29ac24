-- True when a process died that held the delivery, one that tells what became of an alert: nobody knows whether it was sent.
ALTER TABLE deliveries ADD COLUMN unsure boolean;
