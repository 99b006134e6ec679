using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Http;

/// <summary>
/// A file on a server that is read in whichever way it can be: in parts, where the server gives them and nothing more is asked for; else from a temporary file, into which all of it is
/// brought first, and which goes with this object.
/// </summary>
public sealed class HttpSource : IDisposable
{
    private readonly HttpFile? _file;
    private readonly TemporaryFile? _copy;
    private readonly BlockStorage _bytes;

    private HttpSource(HttpFile file)
    {
        _file = file;
        _bytes = file;
    }

    private HttpSource(TemporaryFile copy, string name)
    {
        _copy = copy;
        _bytes = new HttpCopy(copy.Storage, name);
    }

    /// <summary>Whether all of it was brought here first.</summary>
    public bool IsDownloaded => _copy is not null;

    /// <summary>Length, in bytes.</summary>
    public long Length => _bytes.Length;

    /// <summary>Bytes of the file that have come so far.</summary>
    public long BytesReceived => _file?.BytesReceived ?? Length;

    /// <summary>Requests that were sent so far; null where that says nothing, because all came at once.</summary>
    public long? RequestCount => _file?.RequestCount;

    /// <summary>Opens a file.</summary>
    /// <param name="address">Its address.</param>
    /// <param name="options">How its server is asked; null for <see cref="HttpFileOptions.Default"/>.</param>
    /// <param name="hash">The hash that it must have, for which all of it is brought here before anything of it is used; null for none.</param>
    /// <param name="downloadFolder">The folder for a temporary file; null if the file may not be brought here as a whole because its server gives no parts.</param>
    /// <param name="progress">Told how far a download is; null for nobody.</param>
    /// <param name="cancellationToken">Ends the opening, and all reading.</param>
    /// <exception cref="ArgumentException">The address is none of a file on a server, or a header cannot be sent; or there is a hash and no folder.</exception>
    /// <exception cref="Qcow2Exception">The file cannot be read, not in parts, or is not the one that is meant.</exception>
    /// <exception cref="IOException">There is not enough space for it.</exception>
    public static HttpSource Open(
        Uri address, HttpFileOptions? options = null, ExpectedHash? hash = null, string? downloadFolder = null,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        HttpFile? file = null;
        try
        {
            file = HttpFile.Open(address, options, cancellationToken);
            if (hash is null)
            {
                return new HttpSource(file);
            }
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.RangesNotSupported && downloadFolder is not null)
        {
            // All at once, then.
        }

        using (file)
        {
            string folder = downloadFolder ?? throw new ArgumentException("A file whose hash is checked needs a folder for all of it.", nameof(downloadFolder));
            string name = HttpAddress.Show(address);
            var copy = TemporaryFile.Create(folder);
            try
            {
                if (file is null)
                {
                    HttpDownload.Run(address, copy.Storage, hash, options, length => FreeSpace.Require(name, folder, length), progress, cancellationToken);
                }
                else
                {
                    FreeSpace.Require(name, folder, file.Length);
                    HttpDownload.Run(file, copy.Storage, hash, progress, cancellationToken);
                }

                return new HttpSource(copy, name);
            }
            catch
            {
                copy.Dispose();
                throw;
            }
        }
    }

    /// <summary>The bytes. To close what is returned changes nothing; they go with this object.</summary>
    public BlockStorage Borrow() => new BorrowedStorage(_bytes);

    /// <summary>Throws what ended all reading, if anything did: a server that is gone is no damage of the file.</summary>
    /// <exception cref="Qcow2Exception">Reading has failed.</exception>
    public void ThrowIfFailed() => _file?.ThrowIfFailed();

    /// <summary>Ends all reading, and removes a temporary file.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        _copy?.Dispose();
    }

    /// <summary>What was downloaded: still a file of that server, beside which nothing lies.</summary>
    private sealed class HttpCopy(BlockStorage copy, string name) : BorrowedStorage(copy)
    {
        public override string Path => name;

        public override bool HasLocalPath => false;

        public override long AllocatedLength => Length;

        public override bool HasFixedLength => true;
    }
}
