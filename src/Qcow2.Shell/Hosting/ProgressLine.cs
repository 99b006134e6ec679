using System.Diagnostics;
using System.Management.Automation;

namespace Qcow2.Shell.Hosting;

/// <summary>Progress as one line of the terminal that overwrites itself and is gone when the work is done.</summary>
/// <param name="writer">The terminal; null where there is none, and then nothing is shown.</param>
/// <param name="width">Columns of the terminal.</param>
internal sealed class ProgressLine(TextWriter? writer, Func<int> width)
{
    private const int MillisecondsBetweenUpdates = 100;

    private readonly Lock _gate = new();
    private long _lastShown;
    private bool _visible;

    /// <summary>Shows <paramref name="record"/>, unless one was shown a moment ago.</summary>
    internal void Show(long sourceId, ProgressRecord record)
    {
        if (writer is null)
        {
            return;
        }

        lock (_gate)
        {
            if (record.RecordType == ProgressRecordType.Completed)
            {
                Clear();
            }
            else if (!_visible || Stopwatch.GetElapsedTime(_lastShown).TotalMilliseconds >= MillisecondsBetweenUpdates)
            {
                writer.Write(Ansi.ClearLine + Fit(Text(record), width() - 1));
                _lastShown = Stopwatch.GetTimestamp();
                _visible = true;
            }
        }
    }

    /// <summary>Takes the line off the terminal, before something else is written there.</summary>
    internal void Clear()
    {
        lock (_gate)
        {
            if (_visible)
            {
                writer!.Write(Ansi.ClearLine);
                _visible = false;
            }
        }
    }

    /// <summary>One line: percent, what is done, its state, the time left.</summary>
    internal static string Text(ProgressRecord record)
    {
        string percent = record.PercentComplete >= 0 ? $"{record.PercentComplete,3}% " : "";
        string operation = string.IsNullOrWhiteSpace(record.CurrentOperation) ? "" : $" | {record.CurrentOperation}";
        string remaining = record.SecondsRemaining >= 0 ? $" | {TimeSpan.FromSeconds(record.SecondsRemaining):c} left" : "";
        return $"{percent}{record.Activity}: {record.StatusDescription}{operation}{remaining}".ReplaceLineEndings(" ");
    }

    private static string Fit(string text, int columns) => text.Length <= columns ? text : text[..Math.Max(0, columns)];
}
