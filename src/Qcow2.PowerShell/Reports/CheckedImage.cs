using Qcow2.Engine;
using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Reports;

/// <summary>Checks an image for a report.</summary>
internal static class CheckedImage
{
    /// <summary>Most findings that are shown.</summary>
    internal const int MostFindings = 25;

    /// <summary>Checks.</summary>
    /// <param name="info">What the image says of itself.</param>
    /// <param name="format">What it is.</param>
    /// <param name="options">Which files may be opened besides.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="onFailure">Told why there is no verdict.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>The verdict, and the bytes that leaked clusters take.</returns>
    internal static (ReportCheck? Verdict, long Leaked) Run(
        Qcow2ImageInfo info, DiskFormat format, Qcow2OpenOptions options, IProgress<WorkProgress> progress, Action<Exception> onFailure, CancellationToken stop)
    {
        if (!format.CanCheck)
        {
            return (Nothing("There is nothing to check: all of it is data."), 0);
        }

        if (info.LockState == ImageLockState.HeldForWriting)
        {
            return (Nothing("Not checked, because another program is writing it."), 0);
        }

        try
        {
            var how = new Qcow2CheckOptions { MaxFindings = MostFindings, References = options.References, ParentPaths = options.ParentPaths };
            Qcow2CheckResult result = format.Check(info.Path, how, new Meter(progress), stop);
            return (VerdictOf(info, result), result.LeakedBytes);
        }
        catch (Exception e) when (ImageSurvey.IsOfFile(e))
        {
            onFailure(e);
            return (Nothing("The check could not be made: " + ReportText.Reason(e, info.Path)) with { IsDamaged = true }, 0);
        }
    }

    private static ReportCheck Nothing(string verdict) => new(verdict, IsDamaged: false, IsUnsound: false, [], 0);

    private static ReportCheck VerdictOf(Qcow2ImageInfo info, Qcow2CheckResult result) => new(
        Sentence(result),
        result.Corruptions > 0 || result.CheckErrors > 0,
        !result.IsHealthy,
        [.. result.Findings.Select(finding => new ReportFinding(finding.Severity.ToString(), finding.Kind.ToString(), ReportText.Reason(finding.Message, info.Path)))],
        result.FindingCount);

    private static string Sentence(Qcow2CheckResult result)
    {
        var parts = new List<string>();
        if (result.Corruptions > 0)
        {
            parts.Add(ReportText.Count(result.Corruptions, "corruption"));
        }

        if (result.Leaks > 0)
        {
            parts.Add($"{ReportText.Count(result.Leaks, "leaked cluster")} ({ReportText.Size(result.LeakedBytes)})");
        }

        if (result.CheckErrors > 0)
        {
            parts.Add(ReportText.Count(result.CheckErrors, "thing") + " that could not be checked");
        }

        return result.IsHealthy ? "Sound."
            : parts.Count > 0 ? $"Not sound: {string.Join(", ", parts)}."
            : "Not sound: there are warnings.";
    }

    private sealed class Meter(IProgress<WorkProgress> progress) : IProgress<Qcow2CheckProgress>
    {
        public void Report(Qcow2CheckProgress value) => progress.Report(new WorkProgress(value.BytesDone, value.BytesTotal));
    }
}
