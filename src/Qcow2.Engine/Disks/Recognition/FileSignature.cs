using Qcow2.Engine.Disks.Recognition;

namespace Qcow2.Engine;

/// <summary>A kind of file that is told by its content, in words for a person.</summary>
/// <remarks>
/// The guest of a raw disk writes all of it, so a signature proves nothing: it is a reason to refuse or to ask, and never one to
/// open the file as what it seems to be.
/// </remarks>
public sealed class FileSignature
{
    private readonly Func<FileContent, bool> _matches;

    internal FileSignature(string id, FileNature nature, string description, string advice, Func<FileContent, bool> matches)
    {
        Id = id;
        Nature = nature;
        Description = description;
        Advice = advice;
        _matches = matches;
    }

    /// <summary>A short stable name, such as <c>vhdx</c>.</summary>
    public string Id { get; }

    /// <summary>What can be done with such a file.</summary>
    public FileNature Nature { get; }

    /// <summary>What it is, as a sentence goes on: "a VHDX image (Hyper-V)".</summary>
    public string Description { get; }

    /// <summary>What to do with it, in a whole sentence.</summary>
    public string Advice { get; }

    /// <summary>Whether the file is plainly no raw disk, so that it is taken for one only if somebody says so.</summary>
    public bool ContradictsRaw => Nature != FileNature.RawDisk;

    internal bool Matches(FileContent content) => _matches(content);
}
