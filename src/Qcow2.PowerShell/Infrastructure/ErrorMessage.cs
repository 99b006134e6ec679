using System.Text.RegularExpressions;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Completes what an error says: the file that it is about, and a way on.</summary>
internal static class ErrorMessage
{
    private static readonly string Engine = typeof(Qcow2Exception).Assembly.GetName().Name!;

    /// <summary>A full path, at the start of a message or after a quotation mark or a space.</summary>
    private static readonly Regex FullPath = new(@"(^|['""\s])(/|[A-Za-z]:[\\/]|\\\\)\S", RegexOptions.CultureInvariant);

    /// <summary>The same error with a message that names its file and says what can be done.</summary>
    /// <param name="exception">What went wrong.</param>
    /// <param name="path">The file.</param>
    /// <param name="advice">What can be done about it; null for nothing.</param>
    internal static Exception Complete(Exception exception, string path, string? advice) => Understood(exception) switch
    {
        Qcow2Exception e when e.Path is null && StartsWithFile(e.Message) => advice is null ? e : e.WithAdvice(null, advice),
        Qcow2Exception e => e.Path is null || advice is not null ? e.WithAdvice(path, advice) : e,
        ImageCmdletException e => NamesFile(e.Message, path) ? e : new ImageCmdletException(e.ErrorId, e.Category, $"{path}: {e.Message}"),
        FileNotFoundException or DirectoryNotFoundException => exception, // They are caught by their types, and name the file.
        PathTooLongException e => new PathTooLongException($"{path}: the path, or a name in it, is longer than this system or this PowerShell takes. Choose a shorter one; PowerShell 7 takes longer ones than Windows PowerShell.", e),
        IOException e => NamesFile(e.Message, path) ? e : new IOException($"{path}: {e.Message}", e.HResult),
        UnauthorizedAccessException e => NamesFile(e.Message, path) ? e : new UnauthorizedAccessException($"{path}: {e.Message}", e),
        Exception e => e,
    };

    /// <summary>What the engine says of arguments is no trouble with a path, which the same exceptions of .NET are.</summary>
    private static Exception Understood(Exception exception) => exception switch
    {
        ArgumentException e when e.Source == Engine => ImageCmdletException.Contradiction(Text(e)),
        NotSupportedException e when e.Source == Engine => ImageCmdletException.NotPossible(e.Message),
        _ => exception,
    };

    /// <summary>The message without the parameter's name that .NET appends; it is none of the cmdlet's.</summary>
    internal static string Text(ArgumentException exception)
    {
        int appended = exception.ParamName is null ? -1 : exception.Message.IndexOf($" (Parameter '{exception.ParamName}'", StringComparison.Ordinal);
        appended = appended >= 0 || exception.ParamName is null
            ? appended
            : exception.Message.IndexOf(Environment.NewLine + "Parameter", StringComparison.OrdinalIgnoreCase);
        return appended < 0 ? exception.Message : exception.Message.Substring(0, appended);
    }

    private static bool StartsWithFile(string message) => FullPath.Match(message) is { Success: true, Index: 0 } && message[0] is not ('\'' or '"' or ' ');

    private static bool NamesFile(string message, string path) => message.Contains(path) || FullPath.IsMatch(message);
}
