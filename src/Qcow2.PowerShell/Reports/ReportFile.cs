using Qcow2.Engine;

namespace Qcow2.PowerShell.Reports;

/// <summary>A file of a backing chain, as far as a report tells of it. Texts in it are shown as they are: they have been through <see cref="ReportText"/>.</summary>
/// <param name="Key">By what the file is known again.</param>
/// <param name="Name">Its name without the folder.</param>
/// <param name="Folder">Its folder.</param>
/// <param name="Format">The name of its format.</param>
/// <param name="Size">Bytes of its disk; 0 where that is not known.</param>
/// <param name="AllocatedSize">Bytes that it takes where it lies; 0 where that is not known.</param>
internal sealed record ReportFile(string Key, string Name, string Folder, string Format, long Size, long AllocatedSize)
{
    /// <summary>What an image says of itself.</summary>
    /// <param name="info">The image.</param>
    /// <param name="computer">The computer that it lies on; null for this one.</param>
    internal static ReportFile Of(Qcow2ImageInfo info, string? computer = null)
    {
        ReportFile file = At(info.Path, computer) with { Format = ReportText.Of(info.Format, 20), Size = Math.Max(0, info.Size), AllocatedSize = Math.Max(0, info.AllocatedSize) };
        return string.IsNullOrEmpty(info.PackedIn) || string.IsNullOrEmpty(info.DiskName) ? file // An archive can have several disks.
            : file with { Key = $"{file.Key}\0{ReportText.Of(info.DiskName)}", Name = $"{file.Name}: {ReportText.Of(info.DiskName)}" };
    }

    /// <summary>A file of which nothing but its place is known.</summary>
    internal static ReportFile At(string? path, string? computer = null)
        => new(KeyOf(path ?? "", computer), ReportText.FileName(path ?? ""), ReportText.Folder(path ?? ""), "", 0, 0);

    /// <summary>By what a file is known again: a name as long as a hostile image makes it would be kept as a whole else.</summary>
    private static string KeyOf(string path, string? computer)
    {
        const int Most = 4_096;
        string place = Path.DirectorySeparatorChar == '\\' && computer is null ? path.ToUpperInvariant() : path;
        return $"{computer}\0{(place.Length > Most ? place.Substring(0, Most) : place)}";
    }
}

/// <summary>A link of a backing chain that leads to nothing that could be used.</summary>
/// <param name="Target">The file that it would lead to.</param>
/// <param name="Reason">Why not.</param>
/// <param name="IsRefused">Whether it was not to be followed, which says nothing of the file.</param>
internal sealed record BrokenLink(ReportFile Target, string Reason, bool IsRefused)
{
    /// <summary>The link below an image that is the last of a chain and should not be.</summary>
    internal static BrokenLink Below(Qcow2ImageInfo last, string reason, bool isRefused, string? computer = null)
    {
        // Several images can miss the same file; a name that leads nowhere is each image's own.
        ReportFile target = ReportFile.At(last.ParentPath ?? last.BackingFile ?? "?", computer);
        return new BrokenLink(target with { Key = last.ParentPath is null ? $"{ReportFile.At(last.Path, computer).Key}\0{target.Key}" : target.Key }, ReportText.Reason(reason, last.Path), isRefused);
    }
}
