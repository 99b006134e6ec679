using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <summary>
/// Files whose bytes the host itself sends to a Unix socket (<c>sendfile(2)</c>), on Linux. They are not copied: until the other side has taken them, what is on the way is
/// the file itself. So it is for files that nobody writes, and that are kept from writers until <see cref="IsTaken"/>.
/// </summary>
internal static unsafe class SocketSending
{
#if NET
    // This processor numbers requests otherwise than most do.
    private static readonly nuint BytesOnTheWay = RuntimeInformation.ProcessArchitecture.ToString() == "Ppc64le" ? 0x40047473u : 0x5411u; // SIOCOUTQ

    /// <summary>Whether the host does this.</summary>
    internal static bool IsAvailable => LibC.IsLinux && Environment.Is64BitProcess;

    /// <summary>Sends a range of a file.</summary>
    /// <param name="socket">A socket; this waits where that does.</param>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the range begins, in bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="isFull">Whether nothing was sent because the socket, which does not wait, has no room.</param>
    /// <returns>Bytes that were sent, which may be fewer; 0 or less if nobody takes them.</returns>
    /// <exception cref="IOException">The file has ended, or the host could not read it.</exception>
    internal static long Send(Socket socket, LocalFile file, long offset, long length, out bool isFull)
    {
        isFull = false;
        while (true)
        {
            nint sent = LibC.SendFile(socket.SafeHandle, file.Handle, &offset, (nint)length);
            int error = sent < 0 ? Marshal.GetLastWin32Error() : 0;
            if (sent == 0 || error == LibC.ErrorInputOutput)
            {
                throw new IOException(sent == 0
                    ? $"{file.Path}: the file has been cut off at or before offset {offset} while it was served."
                    : $"{file.Path}: the host could not read at offset {offset}.");
            }

            if (error != LibC.ErrorInterrupted)
            {
                isFull = error == LibC.ErrorWouldBlock;
                return sent;
            }
        }
    }

    /// <summary>Whether the other side has taken all that was sent to it, or is gone.</summary>
    internal static bool IsTaken(Socket socket)
    {
        int bytes = 0;
        return LibC.DeviceControl(socket.SafeHandle, BytesOnTheWay, &bytes) != 0 || bytes == 0;
    }
#else
    internal static bool IsAvailable => false; // There are no Unix sockets.

    internal static long Send(Socket socket, LocalFile file, long offset, long length, out bool isFull) => throw new PlatformNotSupportedException();

    internal static bool IsTaken(Socket socket) => true;
#endif
}
