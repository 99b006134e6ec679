using System.Runtime.ExceptionServices;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>An image in a compressed file or an OVA. What has to be unpacked is unpacked once, before anything is opened, and what has a sum in a manifest is compared with it.</summary>
/// <param name="outer">The file that it is packed in, which somebody else closes.</param>
/// <param name="disk">Which of what is in it.</param>
/// <param name="said">What the user or an object says it is; null for nothing.</param>
/// <param name="use">What is needed of it.</param>
/// <param name="folder">Where a temporary file goes.</param>
/// <param name="maximumSize">What it may become.</param>
/// <param name="window">How far apart the places are that are read at the same time, in bytes.</param>
/// <param name="manifestUse">What becomes of the sum that the manifest of an OVA has for the disk.</param>
internal sealed class PackedImage(
    ImageLocation outer, PackedDisk disk, DiskFormat? said, PackedUse use, string folder, long maximumSize, long window, ManifestUse manifestUse) : ImageLocation
{
    private BlockStorage? _unpacked;
    private BlockStorage? _ordered;
    private long? _length;
    private bool _isGuess;
    private ExceptionDispatchInfo? _failure;
    private DiskManifest? _manifest;

    /// <inheritdoc/>
    internal override string Name => outer.Name;

    /// <inheritdoc/>
    internal override string Extension => disk.Extension;

    /// <summary>What it is called in the file that it is packed in.</summary>
    internal string DiskName => disk.Name;

    /// <inheritdoc/>
    internal override string? Preparation => !disk.IsCompressed ? manifestUse == ManifestUse.Ignored || _manifest is not null ? null : outer.IsRemote ? "Downloading" : "Verifying"
        : (_length is null && _unpacked is null) || IsToBePreparedAgain ? "Unpacking" : null;

    /// <inheritdoc/>
    internal override bool IsToBePreparedAgain => _isGuess && _ordered is not null && PackedDisk.HadOtherLength(_ordered);

    /// <inheritdoc/>
    internal override string? Warning => _manifest switch
    {
        { State: ManifestState.NotCompared } when manifestUse != ManifestUse.Mentioned => ManifestMessage(_manifest),
        { State: ManifestState.Differs } when manifestUse == ManifestUse.Warned => ManifestMessage(_manifest),
        _ => null,
    };

    /// <inheritdoc/>
    internal override string? Summary
        => _manifest is { State: ManifestState.Matches or ManifestState.NotMentioned } ? ManifestMessage(_manifest)
            : _unpacked is not null && disk.IsCompressed ? $"{Name}: {DisplayText.SizeAndBytes(_unpacked.Length)} were unpacked into a temporary file."
            : _ordered is not null && _isGuess ? $"{Name}: {DisplayText.SizeAndBytes(_ordered.Length)} were unpacked as they were read."
            : null;

    /// <summary>Whether the disk can be read from its start to its end only: then nobody should look at it twice.</summary>
    private bool IsInOrder(DiskFormat format) => IsReadInOrder && format == DiskFormats.Raw && _unpacked is null;

    private bool IsReadInOrder => use is PackedUse.InOrder or PackedUse.InOrderOrAgain;

    /// <inheritdoc/>
    internal override void Prepare(IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        try
        {
            if (!disk.IsCompressed)
            {
                CompareWithManifest(progress, cancellationToken);
                return;
            }

            DiskFormat? format = said ?? Recognize().Format;
            if (format == DiskFormats.Raw && (use == PackedUse.Header || (IsReadInOrder && !ComesTwice)))
            {
                using BlockStorage bytes = outer.OpenBytes();
                long? guess = use == PackedUse.InOrderOrAgain && !_isGuess ? disk.GuessLength(bytes, maximumSize) : null;
                _length = guess ?? disk.ReadLength(bytes, maximumSize, progress, cancellationToken);
                _isGuess = guess is not null;
            }
            else if (format is not null ? use != PackedUse.Header || !StartSuffices(format) : HasMarkAtEnd)
            {
                _unpacked = disk.Unpack(outer.OpenBytes(), folder, maximumSize, progress, cancellationToken);
            }
        }
        catch (Qcow2Exception e)
        {
            // What the command makes of that is its affair: whether an image is sound has an answer, too.
            _failure = ExceptionDispatchInfo.Capture(e);
        }
    }

    /// <inheritdoc/>
    internal override FormatRecognition Recognize()
    {
        _failure?.Throw();
        if (_unpacked is not null)
        {
            return DiskFormats.Recognize(_unpacked, Extension);
        }

        using BlockStorage bytes = outer.OpenBytes();
        return disk.Recognize(bytes);
    }

    /// <inheritdoc/>
    internal override BlockStorage OpenBytes()
    {
        _failure?.Throw();
        return _unpacked is not null ? PackedDisk.Lend(_unpacked)
            : disk.IsCompressed ? throw ImageCmdletException.NotPossible($"{Name}: there is a raw disk in it, which is read in order only.")
            : OpenInArchive();
    }

    /// <inheritdoc/>
    internal override VirtualDisk Open(DiskFormat format, Qcow2OpenOptions options, CancellationToken cancellationToken)
    {
        _failure?.Throw();
        if (options.Writable)
        {
            throw ImageCmdletException.NotPossible($"{Name}: what is packed can only be read.");
        }

        // What came from elsewhere names no file of this machine.
        return format.Open(
            IsInOrder(format) ? OpenInOrder() : OpenBytes(), options with { References = ReferencePolicy.Forbid }, cancellationToken);
    }

    /// <inheritdoc/>
    internal override Qcow2ImageInfo ReadInformation(DiskFormat format)
    {
        _failure?.Throw();
        using BlockStorage bytes = outer.OpenBytes();
        Qcow2ImageInfo info;
        if (_unpacked is not null || !disk.IsCompressed)
        {
            info = base.ReadInformation(format);
        }
        else
        {
            using BlockStorage start = disk.OpenStart(bytes, _length);
            info = format.ReadInformation(start);
            EnsureRead();
        }

        info.PackedIn = disk.PackedIn;
        info.DiskName = disk.Name;
        if (disk.IsCompressed)
        {
            info.FileSize = bytes.Length;
            info.AllocatedSize = bytes.AllocatedLength;
        }

        return info;
    }

    /// <inheritdoc/>
    internal override IEnumerable<Qcow2ImageInfo> ReadChain(DiskFormat format, Qcow2OpenOptions options)
    {
        Qcow2ImageInfo info = ReadInformation(format);
        using BlockStorage packed = outer.OpenBytes();
        using BlockStorage bytes = _unpacked is not null || !disk.IsCompressed ? OpenBytes() : disk.OpenStart(packed, null);
        foreach (Qcow2ImageInfo one in format.ReadChain(bytes))
        {
            info.BackingFileProblem = one.BackingFileProblem;
            yield return info;
        }
    }

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(DiskFormat format, Qcow2CheckOptions options, IProgress<Qcow2CheckProgress> progress, CancellationToken cancellationToken)
    {
        Qcow2CheckResult result;
        try
        {
            result = base.Check(format, options, progress, cancellationToken);
        }
        catch (Qcow2Exception) when (_manifest is { State: ManifestState.Differs })
        {
            throw Mismatch(); // Which is why there is nothing that could be checked.
        }

        return _manifest is null or { State: ManifestState.NotMentioned } ? result : ManifestFinding.AddTo(result, _manifest);
    }

    /// <inheritdoc/>
    internal override void EnsureRead() => outer.EnsureRead();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unpacked?.Dispose();
            _unpacked = null;
        }

        base.Dispose(disposing);
    }

    /// <summary>All of a disk on a server is brought here for that: it would have to come again for what is done with it.</summary>
    private void CompareWithManifest(IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        using BlockStorage archive = outer.OpenBytes();
        _manifest = disk.ReadManifest(archive);
        if (_manifest.HasSum && manifestUse != ManifestUse.Mentioned)
        {
            if (outer.IsRemote)
            {
                _unpacked = disk.Fetch(outer.OpenBytes(), folder, ref _manifest, progress, cancellationToken);
            }
            else
            {
                using BlockStorage bytes = disk.OpenInArchive(archive);
                _manifest = _manifest.Compare(bytes, progress, cancellationToken);
            }
        }

        if (_manifest.State == ManifestState.Differs && manifestUse == ManifestUse.Required)
        {
            throw Mismatch();
        }
    }

    private string ManifestMessage(DiskManifest manifest)
        => $"{Name}: {DisplayText.Printable(manifest.Message)}{(_unpacked is null ? "" : $" All {DisplayText.SizeAndBytes(_unpacked.Length)} of it were downloaded for that, into a temporary file.")}";

    private Qcow2Exception Mismatch() => _manifest!.ToException(Name);

    /// <summary>Whether all of a file on a server would come twice: once to see how much it holds. Of xz that stands at the end.</summary>
    private bool ComesTwice => outer.LocalPath is null && disk.PackedIn != "xz";

    /// <summary>Whether a format is looked for at the end of a file only, which is not known before all of it was unpacked.</summary>
    private bool HasMarkAtEnd => DiskFormats.Get("vhd").Extensions.Contains(Extension, StringComparer.OrdinalIgnoreCase);

    private BlockStorage OpenInOrder() => _ordered = disk.OpenInOrder(outer.OpenBytes(), _length!.Value, window);

    private BlockStorage OpenInArchive()
    {
        BlockStorage bytes = outer.OpenBytes();
        try
        {
            return disk.OpenInArchive(bytes, owned: true);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>Whether all that the header leads to lies in what was looked at. What else is wrong is said later.</summary>
    private bool StartSuffices(DiskFormat format)
    {
        using BlockStorage bytes = outer.OpenBytes();
        using BlockStorage start = disk.OpenStart(bytes, null); // Of .zst the length is known only by going through all of the file.
        try
        {
            format.ReadInformation(start);
        }
        catch (Exception) when (PackedDisk.WasTooShort(start))
        {
        }

        return !PackedDisk.WasTooShort(start);
    }
}
