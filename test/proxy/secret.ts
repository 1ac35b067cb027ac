// What is said in the RTP of a test, and what a wiretap listens for.

export const SECRET = 'nobody but us may hear this'
