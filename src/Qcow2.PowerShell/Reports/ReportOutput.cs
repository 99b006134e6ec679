using System.Text;
using System.Xml.Linq;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Reports.Html;

namespace Qcow2.PowerShell.Reports;

/// <summary>Writes a report to a file that takes its name when it is complete.</summary>
internal static class ReportOutput
{
    private const int BufferSize = 1 << 16;

    /// <summary>Writes it.</summary>
    /// <param name="document">The document.</param>
    /// <param name="path">Full path of the file.</param>
    /// <param name="overwrite">Whether a file that exists is replaced.</param>
    /// <param name="stop">Ends it; nothing is left behind.</param>
    internal static void Write(XElement document, string path, bool overwrite, CancellationToken stop)
    {
        using ReplacementFile file = ReplacementFile.Create(path, overwrite);
        using (var writer = new StreamWriter(new Appending(file.Storage, stop), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), BufferSize))
        {
            new HtmlWriter(writer).WriteDocument(document);
        }

        file.Storage.Flush();
        stop.ThrowIfCancellationRequested();
        file.Commit();
    }

    /// <summary>Storage as a stream that is written from its start to its end.</summary>
    private sealed class Appending(BlockStorage storage, CancellationToken stop) : Stream
    {
        private long _end;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => _end;

        public override long Position
        {
            get => _end;
            set => throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            stop.ThrowIfCancellationRequested();
            storage.Write(_end, buffer.AsSpan(offset, count));
            _end += count;
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
