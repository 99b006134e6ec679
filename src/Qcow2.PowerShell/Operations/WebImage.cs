using Qcow2.Engine;
using Qcow2.Engine.Http;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>An image that lies on a server. All that is done with it by one command reads the same state of it, through one object, which keeps what has come.</summary>
/// <param name="address">Its address.</param>
/// <param name="access">How its server is asked.</param>
/// <param name="hash">The hash that it must have; null for none.</param>
/// <param name="downloadFolder">Where all of it may be brought first; null for nowhere.</param>
/// <param name="stop">Ends all waiting for the server.</param>
internal sealed class WebImage(Uri address, HttpFileOptions access, ExpectedHash? hash, string? downloadFolder, CancellationToken stop) : ImageLocation
{
    private HttpSource? _source;

    /// <inheritdoc/>
    internal override string Name { get; } = HttpAddress.Show(address);

    /// <inheritdoc/>
    internal override string Extension => HttpAddress.ExtensionOf(address);

    /// <inheritdoc/>
    internal override bool IsRemote => _source is { IsDownloaded: false };

    /// <inheritdoc/>
    internal override string? Preparation => _source is not null ? null : downloadFolder is null ? "Opening" : "Downloading";

    /// <inheritdoc/>
    internal override string? Summary => _source switch
    {
        null => null,
        { IsDownloaded: true } => $"{Name}: all {DisplayText.SizeAndBytes(_source.Length)} were downloaded.",
        _ => $"{Name}: {_source.RequestCount} requests brought {DisplayText.SizeAndBytes(_source.BytesReceived)} of {DisplayText.SizeAndBytes(_source.Length)}.",
    };

    /// <inheritdoc/>
    internal override void Prepare(IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
        // What is opened here is read after this, so that only the pipeline's own end may end it.
        _source = HttpSource.Open(address, access, hash, downloadFolder, progress, stop);
    }

    /// <inheritdoc/>
    internal override BlockStorage OpenBytes() => (_source ?? throw new InvalidOperationException("The image was not prepared.")).Borrow();

    /// <inheritdoc/>
    internal override void EnsureRead() => _source?.ThrowIfFailed();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _source?.Dispose();
        }

        base.Dispose(disposing);
    }
}
