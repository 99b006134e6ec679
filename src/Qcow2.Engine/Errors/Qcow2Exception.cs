namespace Qcow2.Engine;

/// <summary>
/// An image could not be used, for a reason that lies in the image or in how it was asked for.
/// Failures of the host's file system stay what they are (<see cref="IOException"/>,
/// <see cref="UnauthorizedAccessException"/>).
/// </summary>
/// <remarks>
/// The message names the field, its value and the limit it breaks; <see cref="Path"/> names the file. Code that
/// parses bytes does not know which file they came from, so the path is filled in where the file was opened.
/// </remarks>
public class Qcow2Exception : IOException
{
    /// <summary>Creates an error with its stable code and a message for a person.</summary>
    /// <param name="code">The stable code.</param>
    /// <param name="message">What is wrong, where (field, offset) and, where there is something to do, what to do.</param>
    /// <param name="innerException">The cause, if another exception is it.</param>
    public Qcow2Exception(Qcow2ErrorCode code, string message, Exception? innerException = null)
        : base(message, innerException)
        => Code = code;

    /// <summary>The stable code of the error.</summary>
    public Qcow2ErrorCode Code { get; }

    /// <summary>Full path of the file that is at fault; null when the bytes came from no file.</summary>
    public string? Path { get; private set; }

    /// <summary>The message, led by the path where it is known.</summary>
    public override string Message => Path is null ? base.Message : $"{Path}: {base.Message}";

    /// <summary>The message without the path.</summary>
    internal string Reason => base.Message;

    /// <summary>Whether an image that is in use can be read all the same, with <see cref="Qcow2OpenOptions.ForceShare"/>.</summary>
    public bool CanBeShared { get; internal init; }

    /// <summary>The same error with words of a caller's who knows a way on.</summary>
    /// <param name="path">The file that it is about, where the error does not name one; null to leave that open.</param>
    /// <param name="advice">What is added to the message; null for nothing.</param>
    public Qcow2Exception WithAdvice(string? path, string? advice)
        => new(Code, advice is null ? Reason : $"{Reason} {advice}", this) { CanBeShared = CanBeShared, Path = Path ?? path };

    /// <summary>Names the file at fault, unless a deeper layer (a backing file, say) has named it already.</summary>
    internal Qcow2Exception At(string path)
    {
        Path ??= path;
        return this;
    }
}
