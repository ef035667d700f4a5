package io.wherry.cli.log;

import ch.qos.logback.classic.pattern.ClassicConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import io.wherry.contract.error.Masking;
import io.wherry.contract.error.Sentence;

/**
 * The message of a log line, without secrets and values of rows. If the message does not contain its failure's message, that is
 * added. Stack traces are shown with {@code --debug}.
 */
public final class LogText extends ClassicConverter {
    /** System property, {@code true} = stack traces are shown. */
    public static final String STACK_TRACES = "wherry.debug";

    @Override
    public String convert(ILoggingEvent event) {
        String message = event.getFormattedMessage();
        IThrowableProxy failure = event.getThrowableProxy();
        if (failure == null) {
            return Masking.mask(message);
        }
        String cause = failure.getMessage() == null ? failure.getClassName() : failure.getMessage();
        boolean said = Sentence.line(message).contains(Sentence.line(cause));
        String text = said ? message : message + ": " + Sentence.line(cause);
        String trace = Boolean.getBoolean(STACK_TRACES) ? "\n" + ThrowableProxyUtil.asString(failure) : "";
        return Masking.mask(text + trace);
    }
}
